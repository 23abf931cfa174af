//! A `ROUTER` socket of the crate `zeromq`, as its documentation would have one: what
//! `tests/stock_zeromq.rs` sends 73 bytes to.

use zeromq::{Socket, SocketRecv};

#[tokio::main(flavor = "current_thread")]
async fn main() -> zeromq::ZmqResult<()> {
    let mut socket = zeromq::RouterSocket::new();
    println!("{}", socket.bind("tcp://127.0.0.1:0").await?);
    loop {
        socket.recv().await?;
    }
}
