use std::fs;
use std::process::Command;
use std::time::Duration;

use outpace_os::{Folders, What};

#[test]
fn what_another_process_does_in_a_folder_is_told_in_order() {
    let folder = std::env::temp_dir().join(format!("outpace-changes-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("old"), "1").unwrap();
    let mut folders = Folders::new().unwrap();
    let number = folders.watch(&folder).unwrap();
    assert!(folders.read().unwrap().is_empty());
    let script = "cat old; echo x > new; mkdir sub; mv new sub/; ls; rm old";
    let done = Command::new("sh").args(["-c", script]).current_dir(&folder).output().unwrap();
    assert!(done.status.success());
    folders.wait(Duration::from_secs(5)).unwrap();
    let changes = folders.read().unwrap();
    assert!(changes.iter().all(|change| change.folder == number));
    let of = |name: &str| -> Vec<What> {
        changes.iter().filter(|change| change.name == name).map(|change| change.what).collect()
    };
    assert_eq!(of("old"), [What::Opened, What::Read, What::Vanished]);
    assert_eq!(of("new"), [What::Appeared, What::Opened, What::Written, What::Written, What::Vanished]);
    assert_eq!(of("sub")[0], What::Appeared);
    assert_eq!(of(""), [What::Opened]);
    folders.forget(number);
    assert_eq!(folders.read().unwrap()[0].what, What::Ended);
    fs::remove_dir_all(&folder).unwrap();
}
