//! The operator's end of the wire: connect, ask, take answers, sign requests.

use std::{sync::Arc, time::Duration};

use proto::{
    Args, FunctionName, OperatorName, PackedValue, Request, RunOptions, job,
    message::{self, Absent, Ask, Hello, Lane, OperatorHello, Query, Refusal},
    net::{self, Channel, NetError, Receiver, Sender},
    session::{Local, Peer, SessionError},
    sign::{self, Identity, PublicKey, Signed, StaticKey},
};

use crate::{access::Door, cli::Global, error::Error};

/// Answers as they come: what functions gave is opened by who shows it.
pub type Reply = message::ReplyWith<PackedValue>;
pub type PackedEnd = job::PairEnd<PackedValue>;
type ToOperator = message::ToOperatorWith<PackedValue>;

/// How long a signed request is good for, in microseconds: a day.
const VALID: u64 = 24 * 3600 * 1_000_000;

/// Runs a command's asynchronous part.
pub fn block_on<T, E: From<Error>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => Err(Error::failed(format!("the system gives no event loop: {error}")).into()),
    }
}

/// The connection was lost.
#[derive(Debug)]
pub struct Lost(Option<NetError>);

impl Lost {
    fn why(&self) -> String {
        self.0.as_ref().map_or("it closed the connection".into(), NetError::to_string)
    }

    /// It was lost before the master had said whether it took the job.
    pub fn before_start(self) -> Error {
        Error::failed(format!("the master went away before it answered: {}", self.why()))
            .hint("`ctl job list` shows whether the job was begun")
    }
}

impl From<Lost> for Error {
    fn from(lost: Lost) -> Self {
        Error::failed(format!("the connection to the master is lost: {}", lost.why()))
    }
}

/// How long a crowded master is asked again, and how soon.
const CROWDED: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(200);

/// A connection to the master, as one operator.
pub struct Client {
    sender: Sender,
    receiver: Receiver,
    asked: u32,
    identity: Identity,
    operator: OperatorName,
    /// The master's name and version, for messages.
    master: String,
    /// The master's key.
    pub key: PublicKey,
    /// The master's clock minus ours, in microseconds.
    offset: i64,
}

/// A session with the master; waits a little for one that has too many strangers at its door, as
/// when a whole fleet comes back.
async fn patiently(door: &Door) -> Result<Channel, NetError> {
    let deadline = tokio::time::Instant::now() + CROWDED;
    loop {
        match session(door).await {
            Err(NetError::Closed | NetError::Session(SessionError::Busy(_)))
                if tokio::time::Instant::now() < deadline =>
            {
                tokio::time::sleep(AGAIN).await;
            }
            result => return result,
        }
    }
}

async fn session(door: &Door) -> Result<Channel, NetError> {
    let link = door.transport.dial(&door.address).await?;
    // A session key of its own for each connection: what it certifies is the identity.
    let local = Local::new(&door.identity, StaticKey::generate());
    let peer = Peer { pin: door.pin, known_static: door.known_static };
    net::connect(link, &local, &peer).await
}

impl Client {
    /// # Errors
    /// No master, another master than the one we know, or one that does not know us: nothing was done.
    pub async fn connect(global: &Global) -> Result<Self, Error> {
        let door = Door::find(global)?;
        let channel = patiently(&door).await.map_err(|error| unreachable_master(&door, error))?;
        let (peer, peer_static) = (channel.peer, channel.peer_static);
        let (sender, mut receiver) = channel.split();
        let hello = Hello::Operator(OperatorHello { version: env!("CARGO_PKG_VERSION").into() });
        sender.send(Lane::Control, &hello).await.map_err(|error| unreachable_master(&door, error))?;
        match receiver.recv::<ToOperator>().await {
            Ok(Some(ToOperator::Welcome { master, version, operator, now })) => {
                door.remember(peer.fingerprint(), peer_static);
                let offset = now as i64 - now_micros() as i64;
                let master = format!("{master} {version}");
                Ok(Self { sender, receiver, asked: 0, identity: door.identity, operator, master, key: peer, offset })
            }
            Ok(Some(ToOperator::Refused { why })) => Err(refused(&door, &why)),
            Ok(_) => Err(unreachable_master(&door, NetError::Closed)),
            Err(error) => Err(unreachable_master(&door, error)),
        }
    }

    /// Asks, and gives the number that the answers will carry.
    pub async fn send(&mut self, query: Query) -> Result<u32, Lost> {
        self.asked += 1;
        let ask = Ask { id: self.asked, query };
        self.sender.send(Lane::Control, &ask).await.map_err(|error| Lost(Some(error)))?;
        Ok(self.asked)
    }

    /// The next answer, to whichever question. Nothing is lost when the caller stops waiting.
    pub async fn next(&mut self) -> Result<(u32, Reply), Lost> {
        loop {
            match self.receiver.recv::<ToOperator>().await {
                Ok(Some(ToOperator::Answer { id, reply })) => return Ok((id, reply)),
                Ok(Some(_)) => {}
                Ok(None) => return Err(Lost(None)),
                Err(error) => return Err(Lost(Some(error))),
            }
        }
    }

    /// Asks a question that has one answer.
    ///
    /// # Errors
    /// The master's refusal, or a lost connection.
    pub async fn answer(&mut self, query: Query) -> Result<Reply, Error> {
        let question = self.send(query).await?;
        let mut ends: Vec<Arc<PackedEnd>> = Vec::new();
        loop {
            match self.next().await? {
                (id, Reply::Error(fault)) if id == question => return Err(fault.into()),
                (id, Reply::Ends(more)) if id == question => ends.extend(more),
                (id, Reply::JobDetail(mut detail)) if id == question => {
                    for end in &ends {
                        detail.ends.push(opened(end)?);
                    }
                    return Ok(Reply::JobDetail(detail));
                }
                (id, reply) if id == question => return Ok(reply),
                _ => {}
            }
        }
    }

    /// Which of these are not connected.
    pub async fn absent(&mut self, ids: &[&str]) -> Result<Vec<Absent>, Error> {
        match self.answer(Query::Resolve { target: format!("L@{}", ids.join(",")) }).await? {
            Reply::Matched { absent, .. } => Ok(absent),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Who we are to the master.
    pub fn operator(&self) -> &OperatorName {
        &self.operator
    }

    /// Signs a request as this operator.
    pub fn sign(&self, target: &str, function: FunctionName, args: Args, options: RunOptions) -> Result<Signed, Error> {
        let request = Request {
            nonce: rand::random(),
            operator: self.operator.clone(),
            target: target.to_owned(),
            function,
            args,
            valid_until: now_micros().saturating_add_signed(self.offset).saturating_add(VALID),
            options,
        };
        self.identity
            .sign_value(sign::REQUEST, &request)
            .map_err(|error| Error::nothing(format!("the request cannot be signed: {error}")))
    }

    /// An answer that does not fit the question.
    pub fn unexpected(&self, reply: &Reply) -> Error {
        let shown = format!("{reply:?}");
        let kind: String = shown.chars().take_while(|c| c.is_alphanumeric()).collect();
        Error::failed(format!("the master ({}) gave an answer of another kind: {kind}", self.master))
            .hint(format!("this is ctl {}: are both of one version?", env!("CARGO_PKG_VERSION")))
    }
}

/// What a minion gave, for who looks at it.
///
/// # Errors
/// It is no value, which a master lets nobody send.
pub fn opened(end: &PackedEnd) -> Result<job::PairEnd, Error> {
    end.open().map_err(|error| Error::failed(format!("the return of {} cannot be read: {error}", end.minion)))
}

fn now_micros() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or(0)
}

fn unreachable_master(door: &Door, error: NetError) -> Error {
    let address = &door.address;
    match error {
        NetError::Connect { why, .. } => {
            Error::nothing(format!("the master at {address} cannot be reached: {}", why.to_lowercase()))
                .hint("is it running, and is this its address? `systemctl status overstate-master` on its host")
        }
        NetError::Session(SessionError::WrongPeer { expected, found }) => Error::nothing(format!(
            "the master at {address} has another key than the one known here\n  known   {expected}\n  shown   {found}"
        ))
        .hint(match &door.memory {
            Some(memory) => format!(
                "if its key was changed on purpose, remove {} (or mend `master_fingerprint`); otherwise somebody pretends to be it",
                memory.display()
            ),
            None => "if its key was changed on purpose, mend `master_fingerprint`; otherwise somebody pretends to be it".into(),
        }),
        NetError::Session(error) => {
            let hint = error.hint().map(str::to_owned);
            Error::nothing(format!("no session with the master at {address}: {error}")).hints(hint)
        }
        error => Error::nothing(format!("no session with the master at {address}: {error}")),
    }
}

fn refused(door: &Door, why: &Refusal) -> Error {
    let file = door.key_file.display();
    match why {
        Refusal::UnknownOperator => {
            Error::nothing(format!("the master at {} does not know the operator whose key is {file}", door.address))
                .hint(format!("on the master:  ctl operator add NAME {} --allow 'test.*'", door.identity.public()))
        }
        why => Error::nothing(format!("the master at {} refused: {why}", door.address)),
    }
}
