//! Clients of Redis name databases by number, and begin with number 0: here they get other ones.
//!
//! `SELECT`, `MOVE`, `COPY` and `SWAPDB` have their numbers exchanged, `FLUSHALL` is `FLUSHDB`. The number 0 that a client
//! has without a word is chosen for it, before its first command, or when the server knows who it is. What a script
//! does, and what has no number (channels, `CONFIG`), is not looked at.

use std::io;

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufWriter,
    copy, split,
};

use super::{Renames, beside};

/// Of a line, or of a word of a command that is looked at.
const MOST: usize = 1 << 20;
const LOOKED_AT: [&str; 8] = ["SELECT", "MOVE", "COPY", "SWAPDB", "FLUSHALL", "RESET", "AUTH", "HELLO"];
const END: &[u8] = b"\r\n";

type Words = Vec<Vec<u8>>;

pub(super) async fn pass(
    inside: impl AsyncRead + AsyncWrite + Unpin,
    outside: impl AsyncRead + AsyncWrite + Unpin,
    renames: &Renames,
) -> io::Result<()> {
    let (client, mut to_client) = split(inside);
    let (server, to_server) = split(outside);
    let (mut client, mut server) = (BufReader::new(client), BufReader::new(server));
    let mut to_server = BufWriter::new(to_server);
    if let Some(own) = renames.get(b"0") {
        let mut is_chosen = choose(&mut server, &mut to_server, own).await?;
        while !is_chosen {
            // One by one, until somebody has said who he is.
            let Some(command) = step(&mut client, &mut to_server, renames).await? else { return Ok(()) };
            to_server.flush().await?;
            let answer = reply(&mut server).await?;
            to_client.write_all(&answer).await?;
            if matches!(command.as_str(), "AUTH" | "HELLO") && !answer.starts_with(b"-") {
                is_chosen = choose(&mut server, &mut to_server, own).await?;
            }
        }
    }
    let listening = async {
        while step(&mut client, &mut to_server, renames).await?.is_some() {
            if client.buffer().is_empty() {
                to_server.flush().await?;
            }
        }
        to_server.shutdown().await
    };
    beside(listening, server, to_client).await
}

/// False where the server wants to know first who asks.
async fn choose(
    server: &mut (impl AsyncBufRead + Unpin),
    to_server: &mut (impl AsyncWrite + Unpin),
    own: &str,
) -> io::Result<bool> {
    to_server.write_all(&encoded(&[b"SELECT".to_vec(), own.as_bytes().to_vec()])).await?;
    to_server.flush().await?;
    let answer = reply(server).await?;
    if answer.starts_with(b"+OK") {
        Ok(true)
    } else if answer.starts_with(b"-NOAUTH") || answer.starts_with(b"-NOPERM") {
        Ok(false)
    } else {
        Err(io::Error::other("the server does not have the database"))
    }
}

/// Passes one command on; its first word, if that is one of those looked at. None at the end.
async fn step(
    client: &mut (impl AsyncBufRead + Unpin),
    to_server: &mut (impl AsyncWrite + Unpin),
    renames: &Renames,
) -> io::Result<Option<String>> {
    let first = line(client).await?;
    if first.is_empty() {
        return Ok(None);
    }
    if first[0] != b'*' {
        let words: Words = first
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_vec)
            .collect();
        let name = words.first().map_or_else(String::new, |word| looked_at(word));
        let out = if name.is_empty() { first } else { encoded(&exchange(&name, words, renames)?) };
        to_server.write_all(&out).await?;
        return Ok(Some(name));
    }
    let count = number(&first)?;
    if count < 1 {
        to_server.write_all(&first).await?;
        return Ok(Some(String::new()));
    }
    let head = line(client).await?;
    let length = size(&head)?;
    let mut word = Vec::new();
    let mut name = String::new();
    if length <= 16 {
        word = bulk(client, length).await?;
        name = looked_at(&word);
    }
    if name.is_empty() {
        to_server.write_all(&[first, head].concat()).await?;
        if length <= 16 {
            to_server.write_all(&[&word, END].concat()).await?;
        } else {
            along(client, to_server, length + 2).await?;
        }
        for _ in 1..count {
            let head = line(client).await?;
            to_server.write_all(&head).await?;
            along(client, to_server, size(&head)? + 2).await?;
        }
    } else {
        let mut words = vec![word];
        for _ in 1..count {
            let length = size(&line(client).await?)?;
            words.push(bulk(client, length).await?);
        }
        to_server.write_all(&encoded(&exchange(&name, words, renames)?)).await?;
    }
    Ok(Some(name))
}

fn looked_at(word: &[u8]) -> String {
    let name = String::from_utf8_lossy(word).to_ascii_uppercase();
    if LOOKED_AT.contains(&name.as_str()) { name } else { String::new() }
}

fn exchange(name: &str, mut words: Words, renames: &Renames) -> io::Result<Words> {
    let places: &[usize] = match name {
        // It would forget the database with all else, and nobody would know from which answer on.
        "RESET" => return Err(io::ErrorKind::Unsupported.into()),
        "FLUSHALL" => {
            words[0] = b"FLUSHDB".to_vec();
            &[]
        }
        "SELECT" => &[1],
        "MOVE" => &[2],
        "SWAPDB" => &[1, 2],
        "COPY" if words.get(3).is_some_and(|word| word.eq_ignore_ascii_case(b"DB")) => &[4],
        "COPY" if words.get(4).is_some_and(|word| word.eq_ignore_ascii_case(b"DB")) => &[5],
        _ => &[],
    };
    for place in places {
        if let Some(word) = words.get_mut(*place)
            && let Some(own) = renames.get(word)
        {
            *word = own.as_bytes().to_vec();
        }
    }
    Ok(words)
}

fn encoded(words: &[Vec<u8>]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(END);
    }
    out
}

/// With its end; empty at the end of all.
async fn line(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let most = u64::try_from(MOST).unwrap_or(u64::MAX);
    from.take(most).read_until(b'\n', &mut line).await?;
    if line.is_empty() || line.ends_with(b"\n") { Ok(line) } else { Err(io::ErrorKind::InvalidData.into()) }
}

fn number(line: &[u8]) -> io::Result<i64> {
    let digits = line.get(1..).unwrap_or_default().trim_ascii_end();
    std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Of a word, from the line before it.
fn size(line: &[u8]) -> io::Result<usize> {
    if line.first() != Some(&b'$') {
        return Err(io::ErrorKind::InvalidData.into());
    }
    usize::try_from(number(line)?).map_err(|_| io::ErrorKind::InvalidData.into())
}

async fn bulk(from: &mut (impl AsyncBufRead + Unpin), length: usize) -> io::Result<Vec<u8>> {
    if length > MOST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut word = vec![0; length + 2];
    from.read_exact(&mut word).await?;
    word.truncate(length);
    Ok(word)
}

async fn along(
    from: &mut (impl AsyncBufRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    length: usize,
) -> io::Result<()> {
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    if copy(&mut from.take(length), to).await? < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// One answer, whatever it consists of.
async fn reply(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut pending = 1_i64;
    while pending > 0 {
        let head = line(from).await?;
        if head.is_empty() || out.len() > MOST {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        pending -= 1;
        match head[0] {
            b'$' | b'=' | b'!' => {
                if let Ok(length) = usize::try_from(number(&head)?) {
                    out.extend_from_slice(&head);
                    out.extend_from_slice(&bulk(from, length).await?);
                    out.extend_from_slice(END);
                    continue;
                }
            }
            b'*' | b'~' => pending += number(&head)?.max(0),
            b'%' => pending += 2 * number(&head)?.max(0),
            // What stands before the answer, and what nobody has asked for.
            b'|' => pending += 2 * number(&head)?.max(0) + 1,
            b'>' => pending += number(&head)?.max(0) + 1,
            _ => {}
        }
        out.extend_from_slice(&head);
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
