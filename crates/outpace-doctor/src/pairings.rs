//! Who runs beside whom: lanes for a parallel round, a different mixture for each seed.

/// A small generator of its own: the same seed always gives the same lanes.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides.max(1)).unwrap_or(1)).unwrap_or(0)
    }
}

/// A test with its place in the suite.
type Placed<'a> = (usize, &'a (String, f64));

/// Deals tests to `lanes` lanes: pieces of files, in the files' own order, to the lane that has the least to do.
///
/// Each test is in exactly one lane. Two tests of one file that are in the same lane are there in the file's order.
pub fn deal(tests: &[(String, f64)], lanes: usize, seed: u32) -> Vec<Vec<String>> {
    let mut dice = Dice(u64::from(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut pieces: Vec<(usize, Vec<Placed<'_>>)> = Vec::new();
    for (place, test) in tests.iter().enumerate() {
        let file = test.0.split("::").next().unwrap_or_default();
        let goes_on = pieces.last().is_some_and(|(room, piece)| {
            piece.len() < *room
                && piece.last().is_some_and(|(_, last)| last.0.split("::").next() == Some(file))
        });
        if !goes_on {
            pieces.push((1 + dice.roll(4), Vec::new()));
        }
        if let Some((_, piece)) = pieces.last_mut() {
            piece.push((place, test));
        }
    }
    for last in (1..pieces.len()).rev() {
        pieces.swap(last, dice.roll(last + 1));
    }
    let mut dealt: Vec<(f64, Vec<Placed<'_>>)> = vec![(0.0, Vec::new()); lanes.max(1)];
    for (_, piece) in pieces {
        let least = (0..dealt.len()).min_by(|a, b| dealt[*a].0.total_cmp(&dealt[*b].0)).unwrap_or(0);
        dealt[least].0 += piece.iter().map(|(_, test)| test.1.max(0.001)).sum::<f64>();
        dealt[least].1.extend(piece);
    }
    dealt.into_iter().map(|(_, lane)| in_file_order(lane)).filter(|lane| !lane.is_empty()).collect()
}

/// Tests of one file change places among themselves until they are in order; other files stay where they are.
fn in_file_order(lane: Vec<Placed<'_>>) -> Vec<String> {
    let file = |test: &(String, f64)| test.0.split("::").next().unwrap_or_default().to_owned();
    let files: Vec<String> = lane.iter().map(|(_, test)| file(test)).collect();
    let mut sorted = lane;
    sorted.sort_by_key(|(place, _)| *place);
    let mut taken = vec![false; sorted.len()];
    let mut ids = Vec::with_capacity(sorted.len());
    for wanted in files {
        if let Some(found) =
            (0..sorted.len()).find(|index| !taken[*index] && file(sorted[*index].1) == wanted)
        {
            taken[found] = true;
            ids.push(sorted[found].1.0.clone());
        }
    }
    ids
}
