//! What can be wrong with bytes that claim to be ours.

use thiserror::Error;

/// The other end sent something that is not this protocol.
#[derive(Debug, Error)]
pub enum ProtocolError {
    /// The header does not start as every frame does.
    #[error("not an outpace frame (header bytes {0:02x?})")]
    Magic([u8; 8]),
    /// The header is ours, of another version.
    #[error("protocol version {found}, expected {expected}", expected = crate::VERSION)]
    Version {
        /// The version in the header.
        found: u8,
    },
    /// A length no honest end would send.
    #[error("a frame of {0} bytes is over the limit")]
    TooLong(u32),
    /// The payload ends before its fields do.
    #[error("frame {kind} is cut short")]
    Short {
        /// The frame's kind.
        kind: u8,
    },
    /// A kind this end never receives.
    #[error("unexpected frame kind {0}")]
    Kind(u8),
    /// A JSON payload that does not fit its kind.
    #[error("frame {kind} holds a message that does not fit: {source}")]
    Json {
        /// The frame's kind.
        kind: u8,
        /// What the JSON parser said.
        source: serde_json::Error,
    },
}
