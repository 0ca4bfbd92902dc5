//! A disk that hangs and one that is full are what they claim to be. Needs root.
#![allow(clippy::unwrap_used, reason = "in a test, a failed helper is a failed test")]

use std::{fs, io, sync::mpsc, thread, time::Duration};

use op25b_testlab::disk::Disk;

#[test]
fn writes_to_a_frozen_disk_wait_until_it_is_thawed() {
    let disk = Disk::new(16).unwrap();
    let file = disk.path().join("file");
    fs::write(&file, "before").unwrap();
    disk.freeze().unwrap();
    let (sender, written) = mpsc::channel();
    let writer = thread::spawn({
        let file = file.clone();
        move || sender.send(fs::write(&file, "after").is_ok())
    });
    assert!(written.recv_timeout(Duration::from_millis(300)).is_err());
    assert_eq!(fs::read_to_string(&file).unwrap(), "before");
    disk.thaw().unwrap();
    assert!(written.recv_timeout(Duration::from_secs(10)).unwrap());
    writer.join().unwrap().unwrap();
    disk.thaw().unwrap();
}

#[test]
fn a_full_disk_has_space_again_once_it_is_freed() {
    let disk = Disk::new(16).unwrap();
    disk.fill().unwrap();
    let file = disk.path().join("file");
    let error = fs::write(&file, [1; 4096]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    disk.free().unwrap();
    fs::write(&file, [1; 4096]).unwrap();
}
