use std::fs::{File as Open, FileTimes};
use std::os::unix::fs::symlink;

use super::*;

/// As a layer tells it that read these files a long time after they were made.
fn told(files: &[&Path], folders: &[&Path]) -> Told {
    let later = nanoseconds() + 10 * COARSE;
    Told {
        files: files.iter().map(|path| (path.to_path_buf(), Stamp::of(path), later)).collect(),
        folders: folders.iter().map(|path| (path.to_path_buf(), listed(path))).collect(),
    }
}

fn record(files: &[&Path], folders: &[&Path]) -> Record {
    Record::new(told(files, folders), &[]).expect("nothing changed meanwhile")
}

/// Gives a file the times of another, as `touch -r` does.
fn same_times(path: &Path, times: &fs::Metadata) {
    let file = Open::options().append(true).open(path).expect("the file");
    let times = FileTimes::new().set_modified(times.modified().expect("a time"));
    file.set_times(times).expect("times");
}

#[test]
fn what_is_untouched_is_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a");
    fs::write(&file, "1").expect("written");
    let mut record = record(&[&file, &folder.path().join("missing")], &[folder.path()]);
    assert_eq!(record.len(), 3);
    assert_eq!(record.changed(), None);
}

#[test]
fn an_edit_of_the_same_size_with_the_same_time_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a");
    fs::write(&file, "1").expect("written");
    let before = fs::metadata(&file).expect("facts");
    let mut record = record(&[&file], &[]);
    fs::write(&file, "2").expect("written");
    same_times(&file, &before);
    assert_eq!(record.changed(), Some(file));
}

#[test]
fn an_edit_within_the_clocks_unit_is_seen_by_its_content() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a");
    fs::write(&file, "1").expect("written");
    let mut record = record(&[&file], &[]);
    fs::write(&file, "2").expect("written");
    // As if nothing had moved on between the two.
    record.files.get_mut(&file).expect("it").stamp = Stamp::of(&file);
    assert_eq!(record.changed(), Some(file));
}

#[test]
fn the_same_content_written_again_is_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a");
    fs::write(&file, "1").expect("written");
    let mut record = record(&[&file], &[]);
    fs::remove_file(&file).expect("removed");
    fs::write(&file, "1").expect("written");
    assert_eq!(record.changed(), None);
}

#[test]
fn files_that_come_and_go_are_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let (there, missing) = (folder.path().join("there"), folder.path().join("missing"));
    fs::write(&there, "1").expect("written");
    let mut both = record(&[&there, &missing], &[]);
    fs::write(&missing, "1").expect("written");
    assert_eq!(both.changed(), Some(missing.clone()));
    let mut both = record(&[&there, &missing], &[]);
    fs::remove_file(&there).expect("removed");
    assert_eq!(both.changed(), Some(there));
}

#[test]
fn a_link_that_leads_elsewhere_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two, link) = (folder.path().join("1"), folder.path().join("2"), folder.path().join("link"));
    fs::write(&one, "1").expect("written");
    fs::write(&two, "2").expect("written");
    symlink(&one, &link).expect("a link");
    let mut record = record(&[&link], &[]);
    fs::remove_file(&link).expect("removed");
    symlink(&two, &link).expect("a link");
    assert_eq!(record.changed(), Some(link));
}

#[test]
fn a_new_name_in_a_folder_is_seen_and_noise_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut record = record(&[], &[folder.path()]);
    fs::create_dir(folder.path().join("__pycache__")).expect("a folder");
    fs::write(folder.path().join("passing"), "").expect("written");
    fs::remove_file(folder.path().join("passing")).expect("removed");
    assert_eq!(record.changed(), None);
    fs::write(folder.path().join("a"), "").expect("written");
    assert_eq!(record.changed(), Some(folder.path().to_owned()));
}

#[test]
fn what_changed_before_the_record_was_taken_over_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a");
    fs::write(&file, "1").expect("written");
    let late = told(&[&file], &[]);
    fs::write(&file, "22").expect("written");
    assert!(Record::new(late, &[]).is_err());
}

#[test]
fn what_was_read_within_the_clocks_unit_after_a_change_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a");
    fs::write(&file, "1").expect("written");
    let mut early = told(&[&file], &[]);
    early.files[0].2 = nanoseconds();
    assert!(Record::new(early, &[]).is_err());
}
