//! The frame: a header that foreign bytes do not hit by accident, and a payload.

use crate::ProtocolError;

/// Bytes of a header: payload length (u32 LE), magic (`OP`), version, kind.
pub const HEADER: usize = 8;
/// The two bytes after the length.
pub const MAGIC: [u8; 2] = *b"OP";
/// Both ends must speak the same version; there is no negotiation, since both come from one wheel.
pub const VERSION: u8 = 1;
/// The longest payload: a report larger than this is a mistake or foreign bytes.
pub const MAX_PAYLOAD: u32 = 512 * 1024 * 1024;

/// One message, undecoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Which message it is.
    pub kind: u8,
    /// Its content.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Appends the frame to `out`.
    pub fn write(kind: u8, payload: &[u8], out: &mut Vec<u8>) {
        Self::write_parts(kind, &[payload], out);
    }

    /// Appends a frame whose payload is the concatenation of `parts`.
    pub fn write_parts(kind: u8, parts: &[&[u8]], out: &mut Vec<u8>) {
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let length = u32::try_from(total).unwrap_or(u32::MAX);
        out.reserve(HEADER + total);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, kind]);
        for part in parts {
            out.extend_from_slice(part);
        }
    }
}

/// Turns a stream of bytes into frames. After an error the stream cannot be trusted and is not read on.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
}

impl Decoder {
    /// Adds bytes that were read.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start > 0 && (self.start == self.buffer.len() || self.start > 1 << 20) {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, if there is one.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, ProtocolError> {
        let rest = &self.buffer[self.start..];
        let Some(header) = rest.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        if header[4..6] != MAGIC {
            return Err(ProtocolError::Magic(*header));
        }
        if header[6] != VERSION {
            return Err(ProtocolError::Version { found: header[6] });
        }
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        if length > MAX_PAYLOAD {
            return Err(ProtocolError::TooLong(length));
        }
        let Some(payload) = rest.get(HEADER..HEADER + length as usize) else {
            return Ok(None);
        };
        let frame = Frame { kind: header[7], payload: payload.to_vec() };
        self.start += HEADER + payload.len();
        Ok(Some(frame))
    }

    /// Bytes of a frame that has not arrived whole.
    pub fn unfinished(&self) -> usize {
        self.buffer.len() - self.start
    }
}
