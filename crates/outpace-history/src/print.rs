//! A file's content in a number: FNV-1a. It tells whether the file is another one, not who wrote it.

use std::fs;
use std::path::Path;

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// None where there is no file that can be read.
pub(crate) fn print_of(path: &Path) -> Option<i64> {
    let content = fs::read(path).ok()?;
    let hash = content.iter().fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
    Some(hash.cast_signed())
}
