//! Frames and messages: the same bytes in both directions, in both languages, and no panic on any bytes.

mod foreign_bytes;
mod messages;
mod round_trips;
mod stream;
mod vectors;
