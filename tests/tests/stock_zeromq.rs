//! Why ZeroMQ is not what the fleet speaks on an open network by default: what the crate does, as
//! it comes, with a frame header of an enemy. When this test fails, upstream has mended it, and
//! `docs/decisions` wants to be read again.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use tests::wait::{self, secs};

/// ZMTP 3.0, mechanism NULL, not a server.
fn greeting() -> Vec<u8> {
    let mut bytes = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0];
    bytes.extend(b"NULL");
    bytes.resize(64, 0);
    bytes
}

/// A long command frame that claims this many bytes.
fn header(length: u64) -> Vec<u8> {
    [&[0x06][..], &length.to_be_bytes()].concat()
}

fn victim() -> (Child, TcpStream) {
    let mut child =
        Command::new(env!("CARGO_BIN_EXE_stock_zeromq")).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().trim_start_matches("tcp://").to_owned();
    (child, TcpStream::connect(address).unwrap())
}

#[test]
fn seventy_three_bytes_abort_a_process_with_stock_zeromq() {
    let (mut child, mut socket) = victim();
    let attack = [greeting(), header(1 << 62)].concat();
    assert_eq!(attack.len(), 73);
    socket.write_all(&attack).unwrap();
    let status = wait::until(secs(20), "the process to end", || child.try_wait().unwrap());
    assert_eq!(status.signal(), Some(6), "it was aborted: {status}");
}

#[test]
fn an_honest_greeting_does_not() {
    let (mut child, mut socket) = victim();
    socket.write_all(&greeting()).unwrap();
    let mut theirs = [0; 64];
    socket.read_exact(&mut theirs).unwrap();
    assert_eq!(theirs[0], 0xff);
    thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it lives");
    child.kill().unwrap();
    child.wait().unwrap();
}
