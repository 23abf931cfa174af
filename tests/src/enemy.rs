//! Peers that do not behave: raw connections, and both roles of the protocol played by hand with
//! `proto`'s own pieces, over blocking sockets.

use std::{
    net::TcpListener,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::{Bytes, BytesMut};
use proto::{
    Args, JobId, Map, OperatorName, Packed, Publish, Question, Request, RunOptions,
    codec::{self, Limits},
    frame::{Fragmenter, LaneLimits, Reassembler},
    layout,
    message::{Ask, FromMinion, Hello, Lane, MinionHello, OperatorHello, Query, Reply, ToMinion, ToOperator},
    question::Unanswered,
    session::{Initiator, Local, Peer, Responder, Session, Step},
    sign::{Identity, PUBLISH, PublicKey, REQUEST, Signed, StaticKey},
};
use serde::{Serialize, de::DeserializeOwned};

pub use crate::wire::Wire;

/// Microseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// A key pair and what goes with it.
pub struct Me {
    pub identity: Identity,
    pub local: Local,
}

impl Me {
    pub fn new() -> Self {
        Self::with(Identity::generate())
    }

    /// Somebody's identity, from the file that holds it.
    ///
    /// # Panics
    /// When there is no key in it.
    pub fn from_file(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Self::with(Identity::from_pem(&text).expect("the file holds a key"))
    }

    /// The first operator of the master with this `root_dir`.
    pub fn first_operator(master_root: &Path) -> Self {
        Self::from_file(&master_root.join(layout::FIRST_OPERATOR_KEY))
    }

    fn with(identity: Identity) -> Self {
        let local = Local::new(&identity, StaticKey::generate());
        Self { identity, local }
    }

    pub fn key(&self) -> PublicKey {
        self.identity.public()
    }

    /// A session with whoever listens there; `None` if it is refused.
    pub fn shake(&self, address: &str) -> Option<Talk> {
        let mut wire = Wire::connect(address);
        let (initiator, first) = Initiator::start(&self.local, &Peer::default()).expect("our own key is good");
        wire.frame(&first);
        let (session, last) = initiator.answer(&wire.receive()?).ok()?;
        last.is_none_or(|last| wire.frame(&last)).then(|| Talk::new(wire, session))
    }

    /// The first words of a minion of that name.
    pub fn hello(&self, id: &str) -> Hello {
        Hello::Minion(Box::new(MinionHello {
            id: id.parse().expect("a good id"),
            version: "enemy".into(),
            token: None,
            grains: Packed::default(),
            now: now(),
            running: Vec::new(),
            spooled: Vec::new(),
        }))
    }

    /// A session as a minion, and the master's answer to its hello.
    pub fn as_minion(&self, address: &str, id: &str) -> Option<(Talk, ToMinion)> {
        let mut talk = self.shake(address)?;
        talk.say(Lane::Control, &self.hello(id));
        let answer = talk.hear()?;
        Some((talk, answer))
    }

    /// A session as an operator, and the master's answer.
    pub fn as_operator(&self, address: &str) -> Option<(Talk, ToOperator)> {
        let mut talk = self.shake(address)?;
        talk.say(Lane::Control, &Hello::Operator(OperatorHello { version: "enemy".into() }));
        let answer = talk.hear()?;
        Some((talk, answer))
    }

    /// A signed request of operator `name`.
    pub fn request(&self, name: &str, target: &str, function: &str, args: Args) -> Signed {
        self.identity.sign_value(REQUEST, &request(name, target, function, args)).expect("it can be encoded")
    }

    /// A signed publish around a request.
    pub fn publish(&self, jid: JobId, request: Signed, expires: u64) -> Signed {
        let publish = Publish { jid, request, expires, wave: 1, tree: None, authority: None };
        self.identity.sign_value(PUBLISH, &publish).expect("it can be encoded")
    }
}

impl Default for Me {
    fn default() -> Self {
        Self::new()
    }
}

/// A request as `ctl` would write it, valid for an hour.
pub fn request(name: &str, target: &str, function: &str, args: Args) -> Request {
    use std::hash::{BuildHasher, RandomState};
    let random = [RandomState::new().hash_one(1), RandomState::new().hash_one(2)].map(u64::to_le_bytes);
    let mut nonce = [0; 16];
    nonce.copy_from_slice(&random.concat());
    Request {
        nonce,
        operator: name.parse::<OperatorName>().expect("a good name"),
        target: target.into(),
        function: function.parse().expect("a good function name"),
        args,
        valid_until: now() + 3_600_000_000,
        options: RunOptions::default(),
    }
}

/// A session, spoken by hand.
pub struct Talk {
    pub wire: Wire,
    pub session: Session,
    reassembler: Reassembler,
    heard: Vec<Bytes>,
    /// Every message that was ever heard here, one behind the other.
    pub all: Vec<u8>,
}

impl Talk {
    fn new(wire: Wire, session: Session) -> Self {
        Self { wire, session, reassembler: Reassembler::new(LaneLimits::default()), heard: Vec::new(), all: Vec::new() }
    }

    /// Says a message as it should be said.
    pub fn say<M: Serialize>(&mut self, lane: Lane, message: &M) -> bool {
        let bytes = codec::encode(message).expect("it can be encoded");
        self.say_bytes(lane, bytes)
    }

    /// Says bytes as a message.
    pub fn say_bytes(&mut self, lane: Lane, bytes: Bytes) -> bool {
        let mut fragmenter = Fragmenter::default();
        fragmenter.push(lane, bytes);
        while !fragmenter.is_empty() {
            let mut plain = BytesMut::new();
            fragmenter.fill(&mut plain, |_, _| ());
            if !self.say_plain(&plain) {
                return false;
            }
        }
        true
    }

    /// Seals this plain text, whatever it is, and sends it.
    pub fn say_plain(&mut self, plain: &[u8]) -> bool {
        let frame = self.session.sealer.seal_slice(plain).expect("a session can seal");
        self.wire.frame(&frame)
    }

    /// The next message; `None` when the other side has hung up.
    ///
    /// # Panics
    /// When it is not of the expected kind.
    pub fn hear<M: DeserializeOwned>(&mut self) -> Option<M> {
        while self.heard.is_empty() {
            let frame = self.wire.receive()?;
            let plain = self.session.opener.open(BytesMut::from(&frame[..])).ok()?;
            self.reassembler.push(plain.freeze());
            while let Some((_, message)) = self.reassembler.next().expect("the other side's frames are good") {
                self.all.extend_from_slice(&message);
                self.heard.push(message);
            }
        }
        let bytes = self.heard.remove(0);
        Some(codec::decode(&bytes, Limits::MESSAGE).expect("the other side's messages are good"))
    }

    /// Asks the master as a minion, and gives the whole answer; `None` when it hangs up.
    pub fn question(&mut self, id: u32, question: Question) -> Option<Result<Vec<u8>, Unanswered>> {
        self.say(Lane::Control, &FromMinion::Ask { id, question });
        let mut answer = Vec::new();
        loop {
            match self.hear::<ToMinion>()? {
                ToMinion::Part { id: found, bytes, last } if found == id => {
                    answer.extend_from_slice(&bytes);
                    if last {
                        return Some(Ok(answer));
                    }
                }
                ToMinion::Failed { id: found, why } if found == id => return Some(Err(why)),
                _ => {}
            }
        }
    }

    /// Asks the master as an operator, and gives the first answer.
    pub fn ask(&mut self, id: u32, query: Query) -> Option<Reply> {
        self.say(Lane::Control, &Ask { id, query });
        loop {
            match self.hear::<ToOperator>()? {
                ToOperator::Answer { id: found, reply } if found == id => return Some(reply),
                _ => {}
            }
        }
    }
}

/// A master that says what it is told to.
pub struct FakeMaster {
    pub me: Me,
    listener: TcpListener,
}

impl FakeMaster {
    /// Listens on an address of this machine.
    ///
    /// # Panics
    /// When it is taken.
    pub fn new(address: &str) -> Self {
        Self { me: Me::new(), listener: TcpListener::bind(address).expect("the address is free") }
    }

    /// Where it listens.
    ///
    /// # Panics
    /// Never: it listens.
    pub fn address(&self) -> String {
        self.listener.local_addr().expect("it listens").to_string()
    }

    /// The next minion that comes, welcomed.
    ///
    /// # Panics
    /// When what comes is no minion.
    pub fn welcome(&self) -> (Talk, MinionHello) {
        let mut talk = self.shake().expect("a good handshake");
        let Some(Hello::Minion(hello)) = talk.hear::<Hello>() else { panic!("no minion's hello") };
        talk.say(Lane::Control, &ToMinion::Welcome { now: now(), fixed_grains: Map::new(), minions: 1 });
        (talk, *hello)
    }

    /// A session with the next who comes; `None` when the handshake fails, or they think better
    /// of it.
    pub fn shake(&self) -> Option<Talk> {
        let (stream, _) = self.listener.accept().expect("somebody comes");
        let mut wire = Wire::over(stream);
        let first = wire.receive()?;
        let session = match Responder::start(&self.me.local, &first, |_| Ok(())) {
            Ok(Step::Done(session, answer)) => {
                wire.frame(&answer);
                session
            }
            Ok(Step::More(responder, answer)) => {
                wire.frame(&answer);
                responder.finish(&wire.receive()?).ok()?
            }
            Err(error) => {
                if let Some(refusal) = error.clear_refusal() {
                    wire.frame(&refusal.to_bytes());
                }
                return None;
            }
        };
        Some(Talk::new(wire, session))
    }
}

/// What the minion says next about a job, other than that it has received it.
pub fn next_return(talk: &mut Talk) -> Option<proto::Return> {
    loop {
        if let FromMinion::Return { ret, .. } = talk.hear::<FromMinion>()? {
            return Some(*ret);
        }
    }
}
