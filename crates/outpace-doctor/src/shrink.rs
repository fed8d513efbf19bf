//! Delta debugging: the smallest part of a list for which something still holds.

/// A part of `items`, in their order, for which `holds`, and from which no single item can be left out. `holds` must be
/// true for all of `items`; it is asked at most `budget` times, after which the smallest part found so far is returned.
pub fn shrink<T: Clone, E>(
    items: &[T],
    mut budget: usize,
    mut holds: impl FnMut(&[T]) -> Result<bool, E>,
) -> Result<Vec<T>, E> {
    let mut kept: Vec<T> = items.to_vec();
    let mut pieces = 2;
    while kept.len() > 1 && budget > 0 {
        let size = kept.len().div_ceil(pieces);
        let mut smaller = None;
        // What was there last is the likeliest to matter.
        for piece in kept.chunks(size).rev() {
            if budget == 0 {
                break;
            }
            budget -= 1;
            if holds(piece)? {
                smaller = Some((piece.to_vec(), 2));
                break;
            }
        }
        if smaller.is_none() && pieces > 2 {
            for left_out in 0..kept.len().div_ceil(size) {
                if budget == 0 {
                    break;
                }
                let rest: Vec<T> = without(&kept, left_out * size, size);
                budget -= 1;
                if holds(&rest)? {
                    smaller = Some((rest, pieces.saturating_sub(1).max(2)));
                    break;
                }
            }
        }
        match smaller {
            Some((part, count)) => {
                kept = part;
                pieces = count.min(kept.len().max(2));
            }
            None if size == 1 => break,
            None => pieces = (pieces * 2).min(kept.len()),
        }
    }
    Ok(kept)
}

fn without<T: Clone>(items: &[T], start: usize, count: usize) -> Vec<T> {
    let end = (start + count).min(items.len());
    items[..start].iter().chain(&items[end..]).cloned().collect()
}
