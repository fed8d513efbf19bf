//! Bytes that nobody of ours wrote: an error or nothing, never a panic, never much memory.

use outpace_protocol::{
    Decoder, Frame, FromController, FromWorker, HEADER, MAGIC, MAX_PAYLOAD, ProtocolError, ToController,
    ToWorker, VERSION,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn decode_as_everything(frame: &Frame) {
    let _ = FromController::decode(frame);
    let _ = ToController::decode(frame);
    let _ = FromWorker::decode(frame.clone());
    let _ = ToWorker::decode(frame.clone());
}

fn header(length: u32, version: u8, kind: u8) -> Vec<u8> {
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(MAGIC);
    bytes.extend([version, kind]);
    bytes
}

fn first_error(bytes: &[u8]) -> Option<ProtocolError> {
    let mut decoder = Decoder::default();
    decoder.feed(bytes);
    decoder.next_frame().err()
}

proptest! {
    #[test]
    fn any_bytes_are_frames_or_an_error(pieces in vec(vec(any::<u8>(), 0..40), 0..10)) {
        let mut decoder = Decoder::default();
        for piece in pieces {
            decoder.feed(&piece);
            while let Ok(Some(frame)) = decoder.next_frame() {
                decode_as_everything(&frame);
            }
        }
    }

    #[test]
    fn any_payload_of_any_kind_is_a_message_or_an_error(kind: u8, payload in vec(any::<u8>(), 0..80)) {
        decode_as_everything(&Frame { kind, payload });
    }

    #[test]
    fn a_collection_that_lies_about_its_lengths_is_an_error_or_a_collection(
        head in 0_u32..40,
        count: u32,
        rest in vec(any::<u8>(), 0..60),
    ) {
        const COLLECTED: u8 = 65;
        let json = br#"{"unsafe_to_fork":[],"groups":[]}"#;
        let mut payload = head.to_le_bytes().to_vec();
        payload.extend(json);
        payload.extend(count.to_le_bytes());
        payload.extend(rest);
        decode_as_everything(&Frame { kind: COLLECTED, payload });
    }

    #[test]
    fn what_follows_a_broken_header_is_never_read(garbage in vec(any::<u8>(), HEADER..40)) {
        prop_assume!(garbage[4..6] != MAGIC);
        let mut decoder = Decoder::default();
        decoder.feed(&garbage);
        for _ in 0..2 {
            prop_assert!(matches!(decoder.next_frame(), Err(ProtocolError::Magic(_))));
            decoder.feed(&header(0, VERSION, 10));
        }
    }
}

#[test]
fn a_header_of_another_version_says_which() {
    let error = first_error(&header(0, VERSION + 1, 1)).expect("an error");
    assert_eq!(error.to_string(), format!("protocol version {}, expected {VERSION}", VERSION + 1));
}

#[test]
fn a_length_over_the_limit_is_refused_before_its_bytes_come() {
    let error = first_error(&header(MAX_PAYLOAD + 1, VERSION, 1)).expect("an error");
    assert!(matches!(error, ProtocolError::TooLong(_)), "{error}");
    assert!(first_error(&header(MAX_PAYLOAD, VERSION, 1)).is_none());
}

#[test]
fn kinds_of_the_other_direction_are_refused() {
    let frame = |kind| Frame { kind, payload: Vec::new() };
    assert!(matches!(FromController::decode(&frame(32)), Err(ProtocolError::Kind(32))));
    assert!(matches!(ToController::decode(&frame(10)), Err(ProtocolError::Kind(10))));
    assert!(matches!(FromWorker::decode(frame(99)), Err(ProtocolError::Kind(99))));
    assert!(matches!(ToWorker::decode(frame(68)), Err(ProtocolError::Kind(68))));
}
