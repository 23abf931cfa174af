//! Giving memory back once the start is over.
//!
//! Most of what an idle minion holds is its own program: detecting grains, reading YAML and
//! shaking hands touch megabytes of code that is not needed again for hours. These pages are
//! clean copies of a file, so they can be let go at any time; what is needed comes back from the
//! page cache.

use std::{ffi::c_void, io, time::Duration};

use procfs::process::{MMPermissions, MMapPath, MemoryMap, Process};
use rustix::mm::{Advice, madvise};

/// The start is over by then.
const FIRST: Duration = Duration::from_secs(3);
/// How often it is looked again: a job may have touched what the start had.
const LATER: Duration = Duration::from_secs(60);
/// What may stay resident.
const ENOUGH: u64 = 8 * 1024 * 1024;

/// Keeps this process small while `idle` says that nothing is at work. Never ends.
pub async fn watch(idle: impl Fn() -> bool) {
    let mut wait = FIRST;
    loop {
        tokio::time::sleep(wait).await;
        wait = LATER;
        if idle()
            && resident().is_ok_and(|bytes| bytes > ENOUGH)
            && let Err(error) = shrink()
        {
            tracing::debug!(%error, "memory was not given back");
        }
    }
}

/// Bytes of this process that are in memory.
fn resident() -> io::Result<u64> {
    let memory = Process::myself().and_then(|me| me.statm()).map_err(io::Error::other)?;
    Ok(memory.resident * procfs::page_size())
}

/// Has all threads allocate from so many arenas: each further one would keep what its thread once needed, and
/// all but the first grow a page and a system call at a time. Called before there is a second thread.
#[cfg_attr(not(target_env = "gnu"), allow(unused_variables))]
pub fn arenas(most: u8) {
    #[cfg(target_env = "gnu")]
    #[allow(unsafe_code, reason = "there is no safe name for this call, which takes two numbers")]
    // SAFETY: it takes two numbers by value.
    unsafe {
        nix::libc::mallopt(nix::libc::M_ARENA_MAX, most.into());
    }
}

/// Gives the kernel what is free of the heap.
fn trim() {
    #[cfg(target_env = "gnu")]
    #[allow(unsafe_code, reason = "there is no safe name for this call, which takes a number")]
    // SAFETY: the allocator takes its own locks, and only pages without anything in them go.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

/// Lets go of the pages of programs and libraries, and of those of the heap that nothing is in.
fn shrink() -> io::Result<()> {
    trim();
    let maps = Process::myself().and_then(|me| me.smaps()).map_err(io::Error::other)?;
    maps.iter().filter(|map| is_clean_copy(map)).try_for_each(let_go)
}

/// A file's bytes as they are on the disk: nobody may write there, and nobody (a relocation, a
/// debugger) has.
fn is_clean_copy(map: &MemoryMap) -> bool {
    let of_file = matches!(map.pathname, MMapPath::Path(_)) && map.inode != 0;
    let fixed = map.perms.contains(MMPermissions::PRIVATE) && !map.perms.contains(MMPermissions::WRITE);
    of_file && fixed && map.extension.map.get("Anonymous") == Some(&0)
}

fn let_go(map: &MemoryMap) -> io::Result<()> {
    let (start, end) = map.address;
    #[allow(
        unsafe_code,
        reason = "unsafe by signature; these pages are read-only copies of a file that is still mapped"
    )]
    // SAFETY: the mapping stays; a read finds the same bytes as before.
    unsafe {
        madvise(start as *mut c_void, (end - start) as usize, Advice::LinuxDontNeed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_goes_on_in_less_memory() {
        let text = |maps: &[MemoryMap]| -> u64 {
            maps.iter().filter(|map| is_clean_copy(map)).filter_map(|map| map.extension.map.get("Rss")).sum()
        };
        let maps = || Process::myself().unwrap().smaps().unwrap().0;
        let before = text(&maps());
        shrink().unwrap();
        let after = text(&maps());
        assert!(after < before, "{before} then {after}");
        assert!(resident().unwrap() > 0);
    }
}
