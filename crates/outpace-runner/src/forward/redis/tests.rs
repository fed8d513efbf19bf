use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

fn renames() -> Renames {
    Renames { dialect: "redis".into(), names: vec![("0".into(), "15".into()), ("2".into(), "14".into())] }
}

fn said(text: &str) -> Vec<u8> {
    encoded(&text.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Words>())
}

/// What the server hears of what a client says, once it has been answered.
async fn heard(names: Renames, client_says: Vec<u8>, server_says: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    let (mut client, inside) = duplex(1 << 20);
    let (outside, mut server) = duplex(1 << 20);
    let passing = tokio::spawn(async move { pass(inside, outside, &names).await });
    server.write_all(&server_says).await.unwrap();
    client.write_all(&client_says).await.unwrap();
    client.shutdown().await.unwrap();
    let mut heard = Vec::new();
    server.read_to_end(&mut heard).await.unwrap();
    drop(server);
    let mut answers = Vec::new();
    client.read_to_end(&mut answers).await.unwrap();
    let _ = passing.await.unwrap();
    (heard, answers)
}

#[tokio::test]
async fn numbers_are_exchanged_and_nothing_else() {
    let big = "x".repeat(300_000);
    let cases = [
        ("SELECT 0", "SELECT 15"),
        ("select 2", "select 14"),
        ("SELECT 1", "SELECT 1"),
        ("MOVE 0 2", "MOVE 0 14"),
        ("SWAPDB 0 2", "SWAPDB 15 14"),
        ("COPY 0 2 DB 2 REPLACE", "COPY 0 2 DB 14 REPLACE"),
        ("COPY 0 2 replace db 0", "COPY 0 2 replace db 15"),
        ("COPY 0 2", "COPY 0 2"),
        ("FLUSHALL ASYNC", "FLUSHDB ASYNC"),
        ("SET 0 2", "SET 0 2"),
        (&format!("SET key {big}"), &format!("SET key {big}")),
        (&format!("{big} 0"), &format!("{big} 0")),
    ];
    let given: Vec<u8> = cases.iter().flat_map(|(given, _)| said(given)).collect();
    let wanted: Vec<u8> = cases.iter().flat_map(|(_, wanted)| said(wanted)).collect();
    let (heard, _) = heard(renames(), given, b"+OK\r\n+hello\r\n".to_vec()).await;
    assert!(heard == [said("SELECT 15"), wanted].concat());
}

#[tokio::test]
async fn commands_in_one_line() {
    let given = b"SET 0 1\r\nselect  0\r\nPING\r\n".to_vec();
    let (heard, answers) = heard(renames(), given, b"+OK\r\n+1\r\n+2\r\n".to_vec()).await;
    assert_eq!(
        heard,
        [said("SELECT 15"), b"SET 0 1\r\n".to_vec(), said("select 15"), b"PING\r\n".to_vec()].concat()
    );
    assert_eq!(answers, b"+1\r\n+2\r\n");
}

#[tokio::test]
async fn the_number_that_nobody_names_is_chosen_after_the_introduction() {
    let given =
        [said("PING"), said("HELLO 3 AUTH a wrong"), said("HELLO 3 AUTH a b"), said("GET 0")].concat();
    let refused = "-NOAUTH Authentication required.\r\n";
    let map = "|1\r\n+a\r\n+b\r\n%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$1\r\nx\r\n*2\r\n:1\r\n$-1\r\n";
    let answers = format!("{refused}{refused}-WRONGPASS no\r\n{map}+OK\r\n$3\r\nabc\r\n");
    let (heard, answered) = heard(renames(), given, answers.into_bytes()).await;
    let wanted = [
        said("SELECT 15"),
        said("PING"),
        said("HELLO 3 AUTH a wrong"),
        said("HELLO 3 AUTH a b"),
        said("SELECT 15"),
        said("GET 0"),
    ];
    assert_eq!(heard, wanted.concat());
    assert_eq!(answered, format!("{refused}-WRONGPASS no\r\n{map}$3\r\nabc\r\n").into_bytes());
}

#[tokio::test]
async fn without_number_0_among_the_names_nothing_is_chosen() {
    let names = Renames { dialect: "redis".into(), names: vec![("2".into(), "14".into())] };
    let (heard, _) = heard(names, [said("GET a"), said("SELECT 2")].concat(), b"+OK\r\n".to_vec()).await;
    assert_eq!(heard, [said("GET a"), said("SELECT 14")].concat());
}

#[tokio::test]
async fn what_would_lose_the_number_ends_the_connection() {
    let (heard, _) =
        heard(renames(), [said("GET a"), said("RESET"), said("GET b")].concat(), b"+OK\r\n".to_vec()).await;
    assert!(!String::from_utf8(heard).unwrap().contains("RESET"));
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200), star: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let given = if star { [b"*2\r\n$".to_vec(), bytes].concat() } else { bytes };
        runtime.block_on(heard(renames(), given.clone(), b"+OK\r\n".to_vec()));
        let _ = runtime.block_on(reply(&mut given.as_slice()));
    }
}
