//! A `PostgreSQL` client introduces itself with the name of its database: here it gets another one.
//!
//! Pure but for [`introduce`], which passes on what a client says until the server is to answer.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Renames;

const HEAD: usize = 8;
/// The server refuses more.
const MOST: usize = 10_000;
const PROTOCOL_3: u32 = 3;
const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

/// Until the client has said which database it wants. Encryption is declined: nobody could read the name then.
pub(super) async fn introduce(
    inside: &mut (impl AsyncRead + AsyncWrite + Unpin),
    outside: &mut (impl AsyncWrite + Unpin),
    renames: &Renames,
) -> io::Result<()> {
    loop {
        let length = inside.read_u32().await?;
        let body = usize::try_from(length).unwrap_or(usize::MAX).wrapping_sub(4);
        if !(HEAD - 4..=MOST).contains(&body) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut packet = length.to_be_bytes().to_vec();
        packet.resize(4 + body, 0);
        inside.read_exact(&mut packet[4..]).await?;
        if matches!(code(&packet), SSL | GSS) {
            inside.write_all(b"N").await?;
            continue;
        }
        return outside.write_all(&rewrite(&packet, renames)).await;
    }
}

fn code(packet: &[u8]) -> u32 {
    packet.get(4..HEAD).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// The packet with the database's name exchanged; anything but a start-up packet as it is.
fn rewrite(packet: &[u8], renames: &Renames) -> Vec<u8> {
    if code(packet) >> 16 != PROTOCOL_3 {
        return packet.to_vec();
    }
    let words: Vec<&[u8]> = packet[HEAD..].split(|byte| *byte == 0).collect();
    let pairs = words.chunks_exact(2).take_while(|pair| !pair[0].is_empty());
    let mut parameters: Vec<(&[u8], &[u8])> = pairs.map(|pair| (pair[0], pair[1])).collect();
    let value = |key: &[u8]| parameters.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    // Who names none wants the one that is called as the user.
    let Some(database) = value(b"database").or_else(|| value(b"user")) else { return packet.to_vec() };
    let Some(clone) = renames.get(database) else { return packet.to_vec() };
    parameters.retain(|(name, _)| *name != b"database");
    parameters.push((b"database", clone.as_bytes()));
    let mut out = packet[..HEAD].to_vec();
    for (name, value) in parameters {
        out.extend_from_slice(name);
        out.push(0);
        out.extend_from_slice(value);
        out.push(0);
    }
    out.push(0);
    let length = u32::try_from(out.len()).unwrap_or(u32::MAX);
    out[..4].copy_from_slice(&length.to_be_bytes());
    out
}

#[cfg(test)]
mod tests;
