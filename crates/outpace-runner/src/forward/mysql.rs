//! A `MySQL` or `MariaDB` client names its database when it introduces itself, and may choose another one later: here it
//! gets other ones. What a statement says of databases itself (`app.item`) is not looked at.
//!
//! The server speaks first. Encryption and compression are taken out of what it offers: nobody could read the names then.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, copy, split};

use super::{Renames, beside};

const HEAD: usize = 4;
/// A packet of this length goes on in the next one.
const FULL: usize = 0x00ff_ffff;
/// Of a greeting, an introduction, or a command with a name in it.
const MOST: usize = 16_384;

const WITH_DATABASE: u32 = 1 << 3;
const COMPRESS: u32 = 1 << 5;
const PROTOCOL_41: u32 = 1 << 9;
const SSL: u32 = 1 << 11;
const SECURE_CONNECTION: u32 = 1 << 15;
const LENGTH_ENCODED: u32 = 1 << 21;
const ZSTD: u32 = 1 << 26;
const QUERY_ATTRIBUTES: u32 = 1 << 27;
const NOT_OFFERED: u32 = COMPRESS | SSL | ZSTD;

const INIT_DB: u8 = 2;
const QUERY: u8 = 3;
const CHANGE_USER: u8 = 17;

pub(super) async fn pass(
    inside: impl AsyncRead + AsyncWrite + Unpin,
    outside: impl AsyncRead + AsyncWrite + Unpin,
    renames: &Renames,
) -> io::Result<()> {
    let (client, mut to_client) = split(inside);
    let (mut server, mut to_server) = split(outside);
    let Some((sequence, mut greeting)) = packet(&mut server).await? else { return Ok(()) };
    limit(&mut greeting);
    to_client.write_all(&framed(sequence, &greeting)).await?;
    let listening = async {
        let mut client = BufReader::new(client);
        obey(&mut client, &mut to_server, renames).await?;
        to_server.shutdown().await
    };
    beside(listening, server, to_client).await
}

async fn obey(
    client: &mut (impl AsyncRead + Unpin),
    to_server: &mut (impl AsyncWrite + Unpin),
    renames: &Renames,
) -> io::Result<()> {
    let Some((sequence, introduction)) = packet(client).await? else { return Ok(()) };
    let capabilities = little(introduction.get(..4));
    to_server.write_all(&framed(sequence, &introduce(&introduction, renames))).await?;
    let mut continues = false;
    loop {
        let Some((length, sequence)) = head(client).await? else { return Ok(()) };
        if sequence == 0 && !continues && length <= MOST {
            let mut command = vec![0; length];
            client.read_exact(&mut command).await?;
            to_server.write_all(&framed(0, &exchange(&command, capabilities, renames))).await?;
        } else {
            to_server.write_all(&heading(length, sequence)).await?;
            let wanted = u64::try_from(length).unwrap_or(u64::MAX);
            if copy(&mut (&mut *client).take(wanted), to_server).await? < wanted {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        continues = length == FULL;
    }
}

/// Length and number of the next packet; none at the end.
async fn head(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<(usize, u8)>> {
    let mut head = [0; HEAD];
    if from.read(&mut head[..1]).await? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut head[1..]).await?;
    Ok(Some((usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16, head[3])))
}

async fn packet(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<(u8, Vec<u8>)>> {
    let Some((length, sequence)) = head(from).await? else { return Ok(None) };
    if length > MOST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).await?;
    Ok(Some((sequence, body)))
}

fn heading(length: usize, sequence: u8) -> [u8; HEAD] {
    let [one, two, three, ..] = length.to_le_bytes();
    [one, two, three, sequence]
}

fn framed(sequence: u8, body: &[u8]) -> Vec<u8> {
    [&heading(body.len(), sequence), body].concat()
}

fn little(bytes: Option<&[u8]>) -> u32 {
    bytes.unwrap_or_default().iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

/// Takes out of a greeting what the client is not to use.
fn limit(greeting: &mut [u8]) {
    if greeting.first() != Some(&10) {
        return; // an error, or older than all that is offered
    }
    let Some(version) = greeting.iter().position(|byte| *byte == 0) else { return };
    // After the version: a number of 4 bytes, 8 bytes of a challenge, and a filler.
    let low = version + 1 + 4 + 8 + 1;
    // Between the two halves: a character set and the status.
    for (place, bits) in [(low, NOT_OFFERED), (low + 5, NOT_OFFERED >> 16)] {
        let [one, two, ..] = bits.to_le_bytes();
        for (offset, byte) in [(0, one), (1, two)] {
            if let Some(found) = greeting.get_mut(place + offset) {
                *found &= !byte;
            }
        }
    }
}

/// What a client says of itself, with another database.
fn introduce(body: &[u8], renames: &Renames) -> Vec<u8> {
    let capabilities = little(body.get(..4));
    if capabilities & PROTOCOL_41 == 0 || capabilities & WITH_DATABASE == 0 {
        return body.to_vec();
    }
    let database = || {
        // Capabilities, the longest packet, a character set, and 23 bytes for later.
        let after_user = ended(body, 4 + 4 + 1 + 23)?;
        let start = after_secret(body, after_user, capabilities)?;
        Some(start..ended(body, start)? - 1)
    };
    replaced(body, database(), renames)
}

fn after_secret(body: &[u8], start: usize, capabilities: u32) -> Option<usize> {
    if capabilities & LENGTH_ENCODED != 0 {
        let (size, rest) = match *body.get(start)? {
            small @ 0..=250 => (usize::from(small), 1),
            252 => (usize::try_from(little(body.get(start + 1..start + 3))).ok()?, 3),
            _ => return None,
        };
        Some(start + rest + size)
    } else if capabilities & SECURE_CONNECTION != 0 {
        Some(start + 1 + usize::from(*body.get(start)?))
    } else {
        ended(body, start)
    }
}

/// Where it goes on after a text that ends with NUL.
fn ended(body: &[u8], start: usize) -> Option<usize> {
    Some(start + body.get(start..)?.iter().position(|byte| *byte == 0)? + 1)
}

fn replaced(body: &[u8], place: Option<std::ops::Range<usize>>, renames: &Renames) -> Vec<u8> {
    let found = place.and_then(|place| Some((renames.get(body.get(place.clone())?)?, place)));
    let Some((name, place)) = found else { return body.to_vec() };
    [&body[..place.start], name.as_bytes(), &body[place.end..]].concat()
}

/// A command that chooses a database, with another one; all else as it is.
fn exchange(command: &[u8], capabilities: u32, renames: &Renames) -> Vec<u8> {
    let place = match command.first() {
        Some(&INIT_DB) => Some(1..command.len()),
        Some(&QUERY) => {
            // Without attributes, these are two numbers before the statement.
            let start = if capabilities & QUERY_ATTRIBUTES != 0 { 3 } else { 1 };
            chosen(command.get(start..).unwrap_or_default())
                .map(|place| start + place.start..start + place.end)
        }
        Some(&CHANGE_USER) => ended(command, 1)
            .and_then(|after_user| after_secret(command, after_user, capabilities & !LENGTH_ENCODED))
            .and_then(|start| Some(start..ended(command, start)? - 1)),
        _ => None,
    };
    replaced(command, place, renames)
}

/// Where the name is in `USE name`. With a comment in between it is what outpace itself says, and means.
fn chosen(statement: &[u8]) -> Option<std::ops::Range<usize>> {
    let blank =
        |from: usize| from + statement[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let word = blank(0);
    if !statement.get(word..word + 3)?.eq_ignore_ascii_case(b"use") {
        return None;
    }
    let mut start = blank(word + 3);
    let is_quoted = statement.get(start) == Some(&b'`');
    if is_quoted {
        start += 1;
    } else if start == word + 3 {
        return None;
    }
    let ends =
        |byte: &u8| if is_quoted { *byte == b'`' } else { byte.is_ascii_whitespace() || *byte == b';' };
    let end = start + statement[start..].iter().position(ends).unwrap_or(statement.len() - start);
    let rest = blank(end + usize::from(is_quoted && end < statement.len()));
    matches!(&statement[rest..], [] | [b';', ..]).then_some(start..end)
}

#[cfg(test)]
mod tests;
