use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::{GSS, Renames, SSL, introduce, rewrite};

fn packet(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = (3_u32 << 16).to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
    }
    body.push(0);
    framed(&body)
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(body.len() + 4).unwrap().to_be_bytes().to_vec();
    out.extend_from_slice(body);
    out
}

fn renames() -> Renames {
    Renames {
        dialect: "postgresql".into(),
        names: vec![("app".into(), "app_outpace_gw0".into()), ("other".into(), "o".into())],
    }
}

#[test]
fn the_database_is_renamed_and_nothing_else() {
    let given = packet(&[("user", "app"), ("database", "app"), ("application_name", "app")]);
    let wanted = packet(&[("user", "app"), ("application_name", "app"), ("database", "app_outpace_gw0")]);
    assert_eq!(rewrite(&given, &renames()), wanted);
}

#[test]
fn who_names_none_means_the_users_own() {
    let given = packet(&[("user", "app")]);
    assert_eq!(rewrite(&given, &renames()), packet(&[("user", "app"), ("database", "app_outpace_gw0")]));
}

#[test]
fn other_databases_and_other_packets_pass() {
    let cancel = framed(&[4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 2]);
    for given in [packet(&[("user", "app"), ("database", "postgres")]), packet(&[]), cancel] {
        assert_eq!(rewrite(&given, &renames()), given);
    }
}

#[test]
fn a_target_has_its_renames_behind_it() {
    let (address, found) = Renames::split("127.0.0.1:5432\0postgresql\0app\0app_outpace_gw0\0other\0o");
    assert_eq!((address, found), ("127.0.0.1:5432", renames()));
    assert_eq!(Renames::split("@name"), ("@name", Renames::default()));
}

#[tokio::test]
async fn encryption_is_declined_and_the_start_up_follows() {
    let (mut client, mut inside) = duplex(1024);
    let (mut outside, mut server) = duplex(1024);
    let asked = [framed(&SSL.to_be_bytes()), framed(&GSS.to_be_bytes()), packet(&[("database", "other")])];
    client.write_all(&asked.concat()).await.unwrap();
    introduce(&mut inside, &mut outside, &renames()).await.unwrap();
    let mut answer = [0; 2];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"NN");
    drop(outside);
    let mut heard = Vec::new();
    server.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, packet(&[("database", "o")]));
}

#[tokio::test]
async fn nonsense_ends_the_connection() {
    for length in [0_u32, 3, 7, 10_005, u32::MAX] {
        let (mut client, mut inside) = duplex(1024);
        let (mut outside, _server) = duplex(1024);
        client.write_all(&length.to_be_bytes()).await.unwrap();
        drop(client);
        assert!(introduce(&mut inside, &mut outside, &renames()).await.is_err(), "{length}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(body in prop::collection::vec(any::<u8>(), 4..200)) {
        let mut body = body;
        body[..4].copy_from_slice(&(3_u32 << 16).to_be_bytes());
        let given = framed(&body);
        let out = rewrite(&given, &renames());
        prop_assert_eq!(u32::from_be_bytes(out[..4].try_into().unwrap()) as usize, out.len());
    }
}
