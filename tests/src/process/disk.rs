//! Disks that are slow or full, for one process, by what the kernel offers to root: blkio throttling
//! (cgroup v1 or v2) and a small tmpfs.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// While it lives, a process can do so many writes a second to the disk of a directory.
#[derive(Debug)]
pub struct SlowDisk(PathBuf);

impl SlowDisk {
    /// Throttles process `pid` on the disk that holds `dir`.
    ///
    /// # Errors
    /// What this machine does not allow, in words.
    pub fn new(dir: &Path, pid: u32, writes_a_second: u32) -> Result<Self, String> {
        let device = fs::metadata(dir).map_err(|error| format!("{}: {error}", dir.display()))?.dev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let root = Path::new("/sys/fs/cgroup/blkio");
        if !root.is_dir() {
            return Err("no blkio controller at /sys/fs/cgroup/blkio".to_owned());
        }
        let group = Self(root.join(format!("quorate-{pid}")));
        let write = |file: &str, text: String| {
            fs::write(group.0.join(file), text).map_err(|error| format!("{}/{file}: {error}", group.0.display()))
        };
        fs::create_dir(&group.0).map_err(|error| format!("{}: {error}", group.0.display()))?;
        write("blkio.throttle.write_iops_device", format!("{major}:{minor} {writes_a_second}"))?;
        write("cgroup.procs", pid.to_string())?;
        Ok(group)
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        for pid in fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default().lines() {
            // It may have ended meanwhile.
            let _ = fs::write("/sys/fs/cgroup/blkio/cgroup.procs", pid);
        }
        let _ = fs::remove_dir(&self.0);
    }
}

/// A file system of a few bytes.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one at `dir`, which is made.
    ///
    /// # Errors
    /// What this machine does not allow, in words.
    pub fn new(dir: &Path, bytes: u64) -> Result<Self, String> {
        fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let option = format!("size={bytes}");
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", &option, "tmpfs"]).arg(dir).output();
        let output = output.map_err(|error| format!("mount: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(Self(dir.to_owned())) } else { Err(said.trim().to_owned()) }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}
