//! One connection, and a limit for all that is done with it.
//!
//! `redis::Connection` has a timeout for each read: a server that sends a byte now and then is never given up, and one
//! that hangs costs a timeout for each answer that it owes, those of the connection set-up included.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use redis::{Cmd, Parser, RedisError, Value};

use crate::address::{Address, Target};

/// The moment at which an operation is given up, whatever it waits for.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    /// The time left. A timeout of zero is an error of the operating system, so that is a timeout, too.
    fn left(self) -> io::Result<Duration> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

/// Why an exchange failed.
pub(crate) enum Failure {
    Broken(RedisError),
    /// The server answered this code and detail to the command at this place.
    Refused {
        at: usize,
        code: String,
        detail: String,
    },
    /// The server does not know the user or the password.
    Login,
    /// The server does not have the database.
    Database,
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self::Broken(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.into())
    }
}

pub(crate) struct Link {
    stream: Stream,
    parser: Parser,
}

enum Stream {
    Plain(Timed),
    #[cfg(feature = "rustls")]
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, Timed>>),
}

/// A socket on which everything ends at the deadline.
struct Timed {
    socket: Socket,
    deadline: Deadline,
    /// How many bytes may still be read.
    most: usize,
}

enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Link {
    /// Connects, logs in and selects the database.
    pub(crate) fn open(address: &Address, deadline: Deadline) -> Result<Self, Failure> {
        let timed = Timed { socket: connect(&address.target, deadline)?, deadline, most: 0 };
        let mut link = Self { stream: wrap(timed, address)?, parser: Parser::new() };
        let mut commands = Vec::new();
        if let Some((user, password)) = &address.login {
            commands.push(redis::cmd("AUTH").arg(user.as_deref()).arg(password).to_owned());
        }
        if address.database != 0 {
            commands.push(redis::cmd("SELECT").arg(address.database).to_owned());
        }
        if commands.is_empty() {
            return Ok(link);
        }
        match link.exchange(&commands, deadline) {
            Ok(_) => Ok(link),
            Err(Failure::Refused { at: 0, code, .. }) if address.login.is_some() => Err(match &*code {
                "ERR" | "WRONGPASS" => Failure::Login,
                // The detail may contain the password: "unknown command 'AUTH', with args beginning with: ...".
                _ => Failure::Refused { at: 0, code, detail: String::new() },
            }),
            Err(Failure::Refused { code, .. }) if code == "ERR" => Err(Failure::Database),
            Err(failure) => Err(failure),
        }
    }

    /// Sends all commands, then reads an answer for each. After a failure the connection must not be used again.
    pub(crate) fn exchange(&mut self, commands: &[Cmd], deadline: Deadline) -> Result<Vec<Value>, Failure> {
        let mut packed = Vec::new();
        commands.iter().for_each(|command| packed.extend(command.get_packed_command()));
        self.stream.timed().begin(deadline);
        self.stream.write_all(&packed)?;
        self.stream.flush()?;
        let mut answers = Vec::with_capacity(commands.len());
        for at in 0..commands.len() {
            let answer = self.parser.parse_value(&mut self.stream)?;
            // The others may never come: a server that refuses a client says so once, and closes.
            if let Value::ServerError(error) = answer {
                let (code, detail) = (error.code().into(), error.details().unwrap_or_default().into());
                return Err(Failure::Refused { at, code, detail });
            }
            answers.push(answer);
        }
        Ok(answers)
    }
}

/// Answers are an entry of 1 MiB and a few small ones. With TLS there is a handshake, too.
const MOST: usize = (1 << 20) + (1 << 17);

impl Timed {
    fn begin(&mut self, deadline: Deadline) {
        (self.deadline, self.most) = (deadline, MOST);
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.left()?;
        let end = buffer.len().min(self.most);
        if end == 0 && !buffer.is_empty() {
            return Err(io::Error::new(ErrorKind::InvalidData, "the answer is too long"));
        }
        let read = match &mut self.socket {
            Socket::Tcp(socket) => {
                socket.set_read_timeout(Some(left))?;
                socket.read(&mut buffer[..end])
            }
            #[cfg(unix)]
            Socket::Unix(socket) => {
                socket.set_read_timeout(Some(left))?;
                socket.read(&mut buffer[..end])
            }
        }?;
        self.most -= read;
        Ok(read)
    }
}

impl Write for Timed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let left = self.deadline.left()?;
        match &mut self.socket {
            Socket::Tcp(socket) => {
                socket.set_write_timeout(Some(left))?;
                socket.write(buffer)
            }
            #[cfg(unix)]
            Socket::Unix(socket) => {
                socket.set_write_timeout(Some(left))?;
                socket.write(buffer)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream {
    fn timed(&mut self) -> &mut Timed {
        match self {
            Self::Plain(timed) => timed,
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => &mut tls.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.read(buffer),
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.write(buffer),
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(timed) => timed.flush(),
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.flush(),
        }
    }
}

#[cfg(feature = "rustls")]
fn wrap(timed: Timed, address: &Address) -> io::Result<Stream> {
    let Some(tls) = &address.tls else { return Ok(Stream::Plain(timed)) };
    let client = rustls::ClientConnection::new(tls.config.clone(), tls.name.clone()).map_err(io::Error::other)?;
    Ok(Stream::Tls(Box::new(rustls::StreamOwned::new(client, timed))))
}

#[cfg(not(feature = "rustls"))]
fn wrap(timed: Timed, _: &Address) -> io::Result<Stream> {
    Ok(Stream::Plain(timed))
}

/// Connects to the first of the addresses of a name that answers. Each has its share of the time.
///
/// What has no limit: the system looks a name up for as long as it wants, and waits if the queue of a Unix socket is
/// full. A source asks its store on a thread of its own, and goes on without it.
fn connect(target: &Target, deadline: Deadline) -> io::Result<Socket> {
    let (host, port) = match target {
        Target::Tcp(host, port) => (host.as_str(), *port),
        #[cfg(unix)]
        Target::Socket(path) => return UnixStream::connect(path).map(Socket::Unix),
        #[cfg(not(unix))]
        Target::Socket(_) => return Err(ErrorKind::Unsupported.into()),
    };
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    let mut last = io::Error::other("the name of the host has no address");
    for (index, address) in (0..count).zip(addresses) {
        match TcpStream::connect_timeout(&address, deadline.left()? / (count - index)) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                return Ok(Socket::Tcp(socket));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
