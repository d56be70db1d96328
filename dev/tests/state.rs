//! One run at a time holds a clone's folder.

use anyhow::Result;
use dev::state::Folder;

#[test]
fn a_folder_is_held_by_one_run_at_a_time() -> Result<()> {
    let clone = std::env::temp_dir().join(format!("clone-{}", uuid::Uuid::new_v4()));
    let folder = Folder::open(&clone)?;
    let lock = folder.lock()?;
    let error = Folder::open(&clone)?.lock().expect_err("held").to_string();
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");

    drop(lock);
    assert!(!folder.stop()?, "nothing runs");
    drop(folder.lock()?);
    folder.remove()?;
    assert!(!clone.join(".dev").exists());
    Ok(std::fs::remove_dir(&clone)?)
}
