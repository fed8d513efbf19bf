//! Reading and writing the fields of a payload.

use outpace_model::{ItemIndex, WorkerIndex};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Frame, ProtocolError};

/// Tests of one worker, as several messages name them.
#[derive(Serialize, Deserialize)]
pub(crate) struct Items {
    pub(crate) worker: WorkerIndex,
    pub(crate) items: Vec<ItemIndex>,
}

pub(crate) struct Reader<'a> {
    kind: u8,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(frame: &'a Frame) -> Self {
        Self { kind: frame.kind, rest: &frame.payload }
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], ProtocolError> {
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or(ProtocolError::Short { kind: self.kind })?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, ProtocolError> {
        let bytes = self.bytes(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub(crate) fn f64(&mut self) -> Result<f64, ProtocolError> {
        let bytes = self.bytes(8)?;
        let mut raw = [0; 8];
        raw.copy_from_slice(bytes);
        Ok(f64::from_le_bytes(raw))
    }

    pub(crate) fn f32(&mut self) -> Result<f32, ProtocolError> {
        Ok(f32::from_bits(self.u32()?))
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

pub(crate) fn from_json<T: DeserializeOwned>(kind: u8, json: &[u8]) -> Result<T, ProtocolError> {
    serde_json::from_slice(json).map_err(|source| ProtocolError::Json { kind, source })
}

/// Our own messages always serialise: they hold strings, numbers and lists of them.
pub(crate) fn to_json<T: Serialize>(message: &T) -> Vec<u8> {
    serde_json::to_vec(message).unwrap_or_default()
}
