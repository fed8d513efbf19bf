//! Bytes that arrive in any pieces.

use outpace_protocol::{Decoder, Frame, ProtocolError};

/// What a decoder makes of a stream that arrives cut at these places.
pub(crate) fn frames(stream: &[u8], cuts: &[usize]) -> Result<Vec<Frame>, ProtocolError> {
    let mut cuts: Vec<usize> =
        cuts.iter().map(|cut| cut % (stream.len() + 1)).chain([0, stream.len()]).collect();
    cuts.sort_unstable();
    let mut decoder = Decoder::default();
    let mut frames = Vec::new();
    for piece in cuts.windows(2) {
        decoder.feed(&stream[piece[0]..piece[1]]);
        while let Some(frame) = decoder.next_frame()? {
            frames.push(frame);
        }
    }
    assert_eq!(decoder.unfinished(), 0, "bytes of whole frames are left");
    Ok(frames)
}

/// The one frame that these bytes are.
pub(crate) fn frame(bytes: &[u8]) -> Frame {
    let mut all = frames(bytes, &[]).expect("frames of our own");
    assert_eq!(all.len(), 1, "one frame");
    all.remove(0)
}
