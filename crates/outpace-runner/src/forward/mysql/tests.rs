use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

const CAPABILITIES: u32 = PROTOCOL_41 | WITH_DATABASE | SECURE_CONNECTION | LENGTH_ENCODED;

fn renames() -> Renames {
    Renames { dialect: "mysql".into(), names: vec![("app".into(), "app_outpace_gw0".into())] }
}

fn introduction(capabilities: u32, secret: &[u8], database: &str) -> Vec<u8> {
    let mut body = capabilities.to_le_bytes().to_vec();
    body.resize(32, 0);
    body.extend_from_slice(b"app\0");
    body.extend_from_slice(secret);
    body.extend_from_slice(database.as_bytes());
    body.extend_from_slice(b"\0mysql_native_password\0app");
    body
}

fn greeting(capabilities: u32) -> Vec<u8> {
    let mut body = b"\x0a8.0\0".to_vec();
    body.extend_from_slice(&[7; 12]);
    body.push(0);
    let [one, two, three, four] = capabilities.to_le_bytes();
    body.extend_from_slice(&[one, two, 45, 2, 0, three, four, 21]);
    body
}

#[test]
fn the_database_is_renamed_and_nothing_else() {
    let long = [&[252, 3, 0][..], b"app"].concat();
    for (capabilities, secret) in [
        (CAPABILITIES, &b"\x03app"[..]),
        (CAPABILITIES, &long),
        (CAPABILITIES & !LENGTH_ENCODED, b"\x03app"),
        (PROTOCOL_41 | WITH_DATABASE, b"app\0"),
    ] {
        let given = introduction(capabilities, secret, "app");
        assert_eq!(introduce(&given, &renames()), introduction(capabilities, secret, "app_outpace_gw0"));
        let other = introduction(capabilities, secret, "apps");
        assert_eq!(introduce(&other, &renames()), other);
    }
    let without = introduction(CAPABILITIES & !WITH_DATABASE, b"\x03app", "app");
    assert_eq!(introduce(&without, &renames()), without);
}

#[test]
fn a_later_choice_is_renamed() {
    let cases: [(&[u8], &[u8]); 13] = [
        (b"\x03use /* itself */ `app`", b"\x03use /* itself */ `app`"),
        (b"\x02app", b"\x02app_outpace_gw0"),
        (b"\x02apps", b"\x02apps"),
        (b"\x03use app", b"\x03use app_outpace_gw0"),
        (b"\x03 USE `app` ;", b"\x03 USE `app_outpace_gw0` ;"),
        (b"\x03use`app`", b"\x03use`app_outpace_gw0`"),
        (b"\x03use app; select 1", b"\x03use app_outpace_gw0; select 1"),
        (b"\x03useapp", b"\x03useapp"),
        (b"\x03use app x", b"\x03use app x"),
        (b"\x03select 'use app'", b"\x03select 'use app'"),
        (b"\x03use", b"\x03use"),
        (b"\x11app\0\x03appapp\0rest", b"\x11app\0\x03appapp_outpace_gw0\0rest"),
        (b"\x0euse app", b"\x0euse app"),
    ];
    for (given, wanted) in cases {
        assert_eq!(exchange(given, CAPABILITIES, &renames()), wanted, "{}", given.escape_ascii());
    }
    let attributed = exchange(b"\x03\0\x01use app", CAPABILITIES | QUERY_ATTRIBUTES, &renames());
    assert_eq!(attributed, b"\x03\0\x01use app_outpace_gw0");
}

#[tokio::test]
async fn a_whole_conversation() {
    let (mut client, inside) = duplex(1 << 16);
    let (outside, mut server) = duplex(1 << 16);
    let names = renames();
    let passing = tokio::spawn(async move { pass(inside, outside, &names).await });
    server.write_all(&framed(0, &greeting(u32::MAX))).await.unwrap();
    let mut offered = vec![0; greeting(0).len() + HEAD];
    client.read_exact(&mut offered).await.unwrap();
    assert_eq!(offered, framed(0, &greeting(!NOT_OFFERED)));
    // A continued packet and what is no command may look like one.
    let large = vec![INIT_DB; FULL];
    let said = [
        framed(1, &introduction(CAPABILITIES, b"\x03app", "app")),
        framed(3, b"\x02app"),
        framed(0, b"\x02app"),
        [&heading(FULL, 0)[..], &large].concat(),
        framed(0, b"\x02app"),
        framed(0, b"\x02app"),
    ]
    .concat();
    let heard = tokio::spawn(async move {
        let mut heard = Vec::new();
        server.read_to_end(&mut heard).await.unwrap();
        heard
    });
    client.write_all(&said).await.unwrap();
    client.shutdown().await.unwrap();
    let wanted = [
        framed(1, &introduction(CAPABILITIES, b"\x03app", "app_outpace_gw0")),
        framed(3, b"\x02app"),
        framed(0, b"\x02app_outpace_gw0"),
        [&heading(FULL, 0)[..], &large].concat(),
        framed(0, b"\x02app"),
        framed(0, b"\x02app_outpace_gw0"),
    ]
    .concat();
    assert!(heard.await.unwrap() == wanted);
    passing.await.unwrap().unwrap();
}

#[test]
fn an_error_in_place_of_a_greeting_passes() {
    let mut error = b"\xff\x10\x04Too many connections".to_vec();
    limit(&mut error);
    assert_eq!(error, b"\xff\x10\x04Too many connections");
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(body in prop::collection::vec(any::<u8>(), 0..100), capabilities: u32) {
        limit(&mut body.clone());
        introduce(&body, &renames());
        exchange(&body, capabilities, &renames());
        let query = [&[QUERY][..], b"use", &body].concat();
        exchange(&query, capabilities, &renames());
    }
}
