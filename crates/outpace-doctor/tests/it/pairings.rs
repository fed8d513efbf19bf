use std::collections::BTreeSet;

use outpace_doctor::deal;
use proptest::prelude::*;

fn suite() -> impl Strategy<Value = Vec<(String, f64)>> {
    prop::collection::vec((1_usize..8, 0.0..2.0_f64), 1..12).prop_map(|files| {
        let mut tests = Vec::new();
        for (number, (count, seconds)) in files.into_iter().enumerate() {
            tests.extend((0..count).map(|test| (format!("test_{number}.py::test_{test}"), seconds)));
        }
        tests
    })
}

proptest! {
    /// Nothing is lost or doubled; a file's tests keep their order within a lane; the same seed deals the same.
    #[test]
    fn every_test_is_in_one_lane_in_its_files_order(tests in suite(), lanes in 1_usize..9, seed in any::<u32>()) {
        let dealt = deal(&tests, lanes, seed);
        prop_assert!(dealt.len() <= lanes);
        prop_assert!(dealt.iter().all(|lane| !lane.is_empty()));
        let mut all: Vec<&String> = dealt.iter().flatten().collect();
        all.sort();
        let mut expected: Vec<&String> = tests.iter().map(|(id, _)| id).collect();
        expected.sort();
        prop_assert_eq!(all, expected);
        let place = |id: &String| tests.iter().position(|(test, _)| test == id).unwrap();
        for lane in &dealt {
            for (number, id) in lane.iter().enumerate() {
                let file = id.split("::").next().unwrap();
                let before = lane[..number].iter().filter(|other| other.starts_with(&format!("{file}::")));
                prop_assert!(before.clone().all(|other| place(other) < place(id)));
            }
        }
        prop_assert_eq!(dealt, deal(&tests, lanes, seed));
    }
}

#[test]
fn each_seed_is_another_mixture() {
    let tests: Vec<(String, f64)> =
        (0..40).map(|number| (format!("test_{}.py::test_{number}", number / 4), 0.1)).collect();
    let mixtures: BTreeSet<Vec<Vec<String>>> = (1..6).map(|seed| deal(&tests, 4, seed)).collect();
    assert_eq!(mixtures.len(), 5);
}
