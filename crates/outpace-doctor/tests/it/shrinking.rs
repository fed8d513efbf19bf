use std::convert::Infallible;

use outpace_doctor::shrink;
use proptest::prelude::*;

proptest! {
    /// What is needed is found, whatever else there is; nothing can be left out of it.
    #[test]
    fn what_is_needed_stays_and_nothing_else(
        count in 1_usize..60,
        needed in prop::collection::btree_set(0_usize..60, 1..5),
    ) {
        let items: Vec<usize> = (0..count).collect();
        let needed: Vec<usize> = needed.into_iter().map(|each| each % count).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
        let mut asked = 0;
        let found = shrink(&items, 10_000, |part| {
            asked += 1;
            Ok::<_, Infallible>(needed.iter().all(|each| part.contains(each)))
        }).unwrap();
        prop_assert_eq!(found, needed);
    }

    /// Whatever the answers are, what is returned holds, is in order, and no more was asked than allowed.
    #[test]
    fn what_is_returned_holds(answers in prop::collection::vec(any::<bool>(), 1..100), budget in 0_usize..40) {
        let items: Vec<usize> = (0..17).collect();
        let mut asked = 0;
        let mut held = vec![items.clone()];
        let found = shrink(&items, budget, |part| {
            let answer = answers[asked % answers.len()];
            asked += 1;
            if answer {
                held.push(part.to_vec());
            }
            Ok::<_, Infallible>(answer)
        }).unwrap();
        prop_assert!(held.contains(&found));
        prop_assert!(found.is_sorted());
        prop_assert!(asked <= budget);
    }
}

#[test]
fn one_of_a_thousand_takes_few_questions() {
    let items: Vec<usize> = (0..1000).collect();
    let mut asked = 0;
    let found = shrink(&items, 1000, |part| {
        asked += 1;
        Ok::<_, Infallible>(part.contains(&313))
    });
    assert_eq!(found, Ok(vec![313]));
    assert!(asked <= 20, "{asked}");
}

#[test]
fn an_error_ends_it() {
    assert_eq!(shrink(&[1, 2], 9, |_| Err("gone")), Err("gone"));
}
