//! What the plugin publishes for the half of bellwether that watches the logs of the same host.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use bellwether_tests::collectd::{Collectd, Setup};

use super::*;

#[test]
fn hosts_are_published_as_soon_as_there_is_a_folder() -> Result<()> {
    needs_collectd!();
    let parent = tempfile::tempdir()?;
    let folder = parent.path().join("board");
    let mut collectd = Collectd::start(&Setup::with(&format!("Board \"{}\"", folder.display())))?;
    let mut fleet = Fleet::new(1);
    fleet.live(&collectd, 2.0, |_| true)?;
    fs::create_dir(&folder)?;
    let file = folder.join("metrics.board");
    collectd.wait("a published host", || {
        fleet.live(&collectd, LIVE_SEC, |_| true).ok();
        let bytes = fs::read(&file).unwrap_or_default();
        bytes.windows(3).any(|name| name == b"hv0")
    })?;
    let mode = fs::metadata(&file)?.permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert!(collectd.stop()?.success());
    assert!(
        !collectd.log().contains("not published"),
        "{}",
        collectd.log()
    );
    Ok(())
}
