//! All files or none.

use super::*;
use crate::tasks::scratch::Scratch;

fn change(file: &str, before: Option<&str>, after: &str) -> Change {
    Change { file: file.into(), before: before.map(Into::into), after: after.into(), does: Vec::new() }
}

fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn files_are_replaced_and_made_with_their_mode_and_through_links() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let scratch = Scratch::new().unwrap();
    let folder = scratch.as_ref();
    fs::write(folder.join("real"), "old").unwrap();
    fs::set_permissions(folder.join("real"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real", folder.join("link")).unwrap();
    write(folder, &[change("link", Some("old"), "new"), change("made", None, "text")]).unwrap();
    assert_eq!(fs::read_to_string(folder.join("real")).unwrap(), "new");
    assert_eq!(fs::metadata(folder.join("real")).unwrap().mode() & 0o777, 0o640);
    assert!(fs::symlink_metadata(folder.join("link")).unwrap().is_symlink());
    assert_eq!(listing(folder), ["link", "made", "real"]);
}

#[test]
fn a_file_that_changed_meanwhile_stops_everything() {
    let scratch = Scratch::new().unwrap();
    let folder = scratch.as_ref();
    fs::write(folder.join("a"), "a").unwrap();
    fs::write(folder.join("b"), "somebody else's").unwrap();
    let outcome = write(folder, &[change("a", Some("a"), "A"), change("b", Some("b"), "B")]);
    assert!(matches!(outcome, Err(CommandError::Changed(_))), "{outcome:?}");
    assert_eq!(fs::read_to_string(folder.join("a")).unwrap(), "a");
    assert_eq!(listing(folder), ["a", "b"]);
}

#[test]
fn what_cannot_be_put_in_place_puts_the_others_back() {
    let scratch = Scratch::new().unwrap();
    let folder = scratch.as_ref();
    fs::write(folder.join("a"), "a").unwrap();
    // A folder of that name: it can be prepared beside it, and cannot be replaced.
    fs::create_dir(folder.join("c")).unwrap();
    fs::write(folder.join("c").join("x"), "").unwrap();
    let new = [change("a", Some("a"), "A"), change("b", None, "B")];
    let mut ready: Vec<(Prepared, &Change)> = new
        .iter()
        .map(|change| (Prepared::new(&folder.join(&change.file), &change.after).unwrap(), change))
        .collect();
    for (prepared, _) in &mut ready {
        prepared.put_in_place().unwrap();
    }
    let done: Vec<(&Path, &Change)> =
        ready.iter().map(|(prepared, change)| (prepared.file.as_path(), *change)).collect();
    restore(&done).unwrap();
    assert_eq!(fs::read_to_string(folder.join("a")).unwrap(), "a");
    assert_eq!(listing(folder), ["a", "c"]);
    let outcome = write(folder, &[change("a", Some("a"), "A"), change("c", None, "C")]);
    assert!(matches!(outcome, Err(CommandError::Unwritable { .. })), "{outcome:?}");
    assert_eq!(fs::read_to_string(folder.join("a")).unwrap(), "a");
    assert_eq!(listing(folder), ["a", "c"]);
}
