//! Suites: files of tests, and what each takes in microseconds. The same every time.

pub(crate) struct Suite {
    pub(crate) node_ids: Vec<String>,
    /// What each test takes.
    pub(crate) times: Vec<u64>,
    /// What history says of it, in seconds.
    pub(crate) expected: Vec<Option<f32>>,
    /// The file of each test.
    pub(crate) files: Vec<usize>,
}

impl Suite {
    /// No run can take less.
    pub(crate) fn floor(&self, workers: u32) -> u64 {
        let longest = self.times.iter().copied().max().unwrap_or(0);
        longest.max(self.times.iter().sum::<u64>().div_ceil(u64::from(workers)))
    }
}

type Make = fn(usize) -> Suite;

pub(crate) const ALL: [(&str, Make); 5] =
    [("even", even), ("tailed", tailed), ("files", slow_files), ("skewed", skewed), ("late", late)];

struct Dice(u64);

impl Dice {
    /// `SplitMix64` (Steele, Lea and Flood 2014).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Most between 1 and 50 ms, one in fifty a hundred times that.
    fn tailed(&mut self) -> u64 {
        let short = 1_000 + self.below(50_000);
        if self.below(50) == 0 { short * 100 } else { short }
    }
}

fn suite(tests: usize, mut time: impl FnMut(&mut Dice, usize, usize) -> u64) -> Suite {
    let mut dice = Dice(tests as u64);
    let mut sizes = Vec::new();
    let mut all = 0;
    while all < tests {
        let size = (1 + usize::try_from(dice.below(39)).unwrap_or(0)).min(tests - all);
        sizes.push(size);
        all += size;
    }
    let mut suite =
        Suite { node_ids: Vec::new(), times: Vec::new(), expected: Vec::new(), files: Vec::new() };
    for (file, size) in sizes.iter().enumerate() {
        for test in 0..*size {
            suite.node_ids.push(format!("f{file}.py::t{test}"));
            suite.times.push(time(&mut dice, file, sizes.len()));
            suite.files.push(file);
        }
    }
    suite.expected = suite.times.iter().map(|time| Some(about(*time, &mut dice))).collect();
    suite
}

/// Off by up to a fifth.
fn about(micros: u64, dice: &mut Dice) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "it is wrong anyway")]
    let seconds = (micros * (800 + dice.below(401)) / 1000) as f32 / 1e6;
    seconds
}

fn even(tests: usize) -> Suite {
    suite(tests, |dice, _, _| 9_000 + dice.below(2_000))
}

fn tailed(tests: usize) -> Suite {
    suite(tests, |dice, _, _| dice.tailed())
}

fn slow_files(tests: usize) -> Suite {
    let mut last = (usize::MAX, 1);
    suite(tests, move |dice, file, _| {
        if last.0 != file {
            last = (file, if dice.below(20) == 0 { 50 } else { 1 });
        }
        (1_000 + dice.below(20_000)) * last.1
    })
}

fn skewed(tests: usize) -> Suite {
    let mut suite = suite(tests, |dice, _, _| 9_000 + dice.below(2_000));
    let heavy = tests / 2;
    let light = suite.times[heavy..].iter().sum::<u64>() * 4 / u64::try_from(heavy.max(1)).unwrap_or(1);
    let mut dice = Dice(1);
    for test in 0..heavy {
        suite.node_ids[test] = format!("heavy.py::t{test}");
        suite.files[test] = usize::MAX;
        suite.times[test] = light.max(1);
        suite.expected[test] = Some(about(light, &mut dice));
    }
    suite
}

fn late(tests: usize) -> Suite {
    let mut suite = even(tests);
    let share = suite.times.iter().sum::<u64>() / 16;
    if let (Some(time), Some(expected)) = (suite.times.last_mut(), suite.expected.last_mut()) {
        *time = share;
        *expected = Some(about(share, &mut Dice(2)));
    }
    suite
}
