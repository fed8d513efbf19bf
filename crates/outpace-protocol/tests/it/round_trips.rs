//! Encoded and decoded again, in any company and however cut, every message is what it was.

use outpace_protocol::{Frame, FromController, FromWorker, ProtocolError, ToController, ToWorker};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::messages::{from_controller, from_worker, to_controller, to_worker};
use crate::stream::frames;

fn through<M>(
    messages: &[M],
    cuts: &[usize],
    encode: impl Fn(&M, &mut Vec<u8>),
    decode: impl Fn(Frame) -> Result<M, ProtocolError>,
) -> Vec<M> {
    let mut stream = Vec::new();
    for message in messages {
        encode(message, &mut stream);
    }
    let frames = frames(&stream, cuts).expect("frames of our own");
    frames.into_iter().map(|frame| decode(frame).expect("a message of our own")).collect()
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    vec(any::<usize>(), 0..30)
}

proptest! {
    #[test]
    fn from_controller_messages(messages in vec(from_controller(), 0..6), cuts in cuts()) {
        let back = through(&messages, &cuts, FromController::encode, |frame| FromController::decode(&frame));
        prop_assert_eq!(back, messages);
    }

    #[test]
    fn to_controller_messages(messages in vec(to_controller(), 0..6), cuts in cuts()) {
        let back = through(&messages, &cuts, ToController::encode, |frame| ToController::decode(&frame));
        prop_assert_eq!(back, messages);
    }

    #[test]
    fn from_worker_messages(messages in vec(from_worker(), 0..6), cuts in cuts()) {
        let back = through(&messages, &cuts, FromWorker::encode, FromWorker::decode);
        prop_assert_eq!(back, messages);
    }

    #[test]
    fn to_worker_messages(messages in vec(to_worker(), 0..6), cuts in cuts()) {
        let back = through(&messages, &cuts, ToWorker::encode, ToWorker::decode);
        prop_assert_eq!(back, messages);
    }
}
