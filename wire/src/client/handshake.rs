//! The greeting, the client's answer to it, and COM_CHANGE_USER.

use super::auth::{PluginKind, SCRAMBLE_BYTES};
use super::codec::Reader;
use super::constant::{Capabilities, Status};

/// Who wants in, and how: from the handshake or from COM_CHANGE_USER.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// User name. Not UTF-8 in a name: each bad byte became U+FFFD, which no account has.
    pub user: String,
    /// Initial database, where one was named.
    pub database: Option<String>,
    /// Collation id that the client begins with.
    pub collation: u16,
    /// What the client tells of itself (`_client_name`, `program_name` ...), in its order.
    pub attributes: Vec<(String, String)>,
    /// From COM_CHANGE_USER: the session starts anew.
    pub change_user: bool,
    /// What the client and this server agreed on.
    pub capabilities: Capabilities,
    /// First authentication data, and the plugin that they are of.
    pub(super) auth_data: Vec<u8>,
    pub(super) plugin: Option<String>,
}

/// Writes the payload of the greeting (protocol 10).
pub(super) fn put_greeting(
    out: &mut Vec<u8>,
    version: &str,
    id: u32,
    scramble: &[u8; SCRAMBLE_BYTES],
    plugin: PluginKind,
    collation: u16,
) {
    let [low, low2, high, high2] = Capabilities::OFFERED.0.to_le_bytes();
    out.push(10);
    // A NUL inside would end it early; the rest of the packet would be misread.
    out.extend(version.bytes().filter(|&byte| byte != 0));
    out.push(0);
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&scramble[..8]);
    out.push(0);
    out.extend_from_slice(&[low, low2]);
    out.push(collation.to_le_bytes()[0]);
    out.extend_from_slice(&Status::AUTOCOMMIT.0.to_le_bytes());
    out.extend_from_slice(&[high, high2]);
    out.push(SCRAMBLE_BYTES as u8 + 1);
    out.extend_from_slice(&[0; 10]);
    out.extend_from_slice(&scramble[8..]);
    out.push(0);
    out.extend_from_slice(plugin.name().as_bytes());
    out.push(0);
}

/// Reads HandshakeResponse41. `None`: malformed, or a protocol that is not offered (before 4.1, TLS).
pub(super) fn parse_response(payload: &[u8]) -> Option<Login> {
    let mut reader = Reader(payload);
    let asked = Capabilities(reader.u32()?);
    let capabilities = asked.and(Capabilities::OFFERED);
    if !capabilities.has(Capabilities::PROTOCOL_41) || asked.has(Capabilities::SSL) {
        return None;
    }
    let _max_packet = reader.u32()?;
    let collation = u16::from(reader.u8()?);
    reader.take(23)?;
    let user = text(reader.nul()?);
    let auth_data = if capabilities.has(Capabilities::PLUGIN_AUTH_LENENC) {
        reader.lenenc_bytes()?
    } else if capabilities.has(Capabilities::SECURE_CONNECTION) {
        let length = reader.u8()?;
        reader.take(usize::from(length))?
    } else {
        reader.nul()?
    };
    let auth_data = auth_data.to_vec();
    let database = if capabilities.has(Capabilities::CONNECT_WITH_DB) { Some(last_nul(&mut reader)) } else { None };
    let plugin = if capabilities.has(Capabilities::PLUGIN_AUTH) { Some(last_nul(&mut reader)) } else { None };
    let attributes = attributes(&mut reader, capabilities)?;
    Some(Login {
        user,
        database: database.filter(|name| !name.is_empty()),
        collation,
        attributes,
        change_user: false,
        capabilities,
        auth_data,
        plugin: plugin.filter(|name| !name.is_empty()),
    })
}

/// Reads COM_CHANGE_USER, the command byte already gone.
pub(super) fn parse_change_user(payload: &[u8], capabilities: Capabilities) -> Option<Login> {
    let mut reader = Reader(payload);
    let user = text(reader.nul()?);
    let auth_data = if capabilities.has(Capabilities::SECURE_CONNECTION) {
        let length = reader.u8()?;
        reader.take(usize::from(length))?
    } else {
        reader.nul()?
    };
    let auth_data = auth_data.to_vec();
    let database = Some(last_nul(&mut reader)).filter(|name| !name.is_empty());
    let (mut collation, mut plugin, mut found) = (0, None, Vec::new());
    if !reader.is_empty() {
        collation = reader.u16()?;
        if capabilities.has(Capabilities::PLUGIN_AUTH) {
            plugin = Some(last_nul(&mut reader)).filter(|name| !name.is_empty());
        }
        found = attributes(&mut reader, capabilities)?;
    }
    Some(Login { user, database, collation, attributes: found, change_user: true, capabilities, auth_data, plugin })
}

/// A NUL-terminated text, or all that is left: some clients spare the last NUL.
fn last_nul(reader: &mut Reader<'_>) -> String {
    match reader.nul() {
        Some(part) => text(part),
        None => text(reader.rest()),
    }
}

fn attributes(reader: &mut Reader<'_>, capabilities: Capabilities) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    if capabilities.has(Capabilities::CONNECT_ATTRS) && !reader.is_empty() {
        let mut pairs = Reader(reader.lenenc_bytes()?);
        while !pairs.is_empty() {
            found.push((text(pairs.lenenc_bytes()?), text(pairs.lenenc_bytes()?)));
        }
    }
    Some(found)
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greeting_is_as_mysql_writes_it() {
        let mut out = Vec::new();
        put_greeting(&mut out, "8.0.36-quorate", 258, b"abcdefghijklmnopqrst", PluginKind::CachingSha2, 255);
        let expected = b"\x0a8.0.36-quorate\0\x02\x01\0\0abcdefgh\0\x0f\xa7\xff\x02\0\xbf\x01\x15\0\0\0\0\0\0\0\0\0\0\
            ijklmnopqrst\0caching_sha2_password\0";
        assert_eq!(out, expected);
    }

    /// Handshake responses and COM_CHANGE_USER as real clients sent them, packet headers and tokens taken out.
    #[test]
    fn real_clients_are_understood() {
        let zeros = "\0".repeat(23);
        let token = "t".repeat(32);
        let pymysql = [
            &b"\x0d\xa2\x3a\0\xff\xff\xff\0\x2d"[..],
            zeros.as_bytes(),
            b"n\0\x20",
            token.as_bytes(),
            b"d\0caching_sha2_password\0\x36\x0c_client_name\x07pymysql\x0f_client_version\x051.2.4\x04_pid\x0523986",
        ];
        let libmysqlclient = [
            &b"\x8d\xa2\xbf\x19\0\0\0\x40\xff"[..],
            zeros.as_bytes(),
            b"n\0\x20",
            token.as_bytes(),
            b"d\0caching_sha2_password\0\x20\x0c_client_name\x08libmysql\x03_os\x05Linux",
        ];
        let mysql2 = [
            &b"\xcf\xf3\xba\x08\0\0\0\0\xe0"[..],
            zeros.as_bytes(),
            b"n\0\x20",
            token.as_bytes(),
            b"d\0caching_sha2_password\0\x31\x0c_client_name\x0cNode-MySQL-2\x0f_client_version\x063.24.5",
        ];
        use Capabilities as C;
        for (parts, name, collation, found_rows, deprecate_eof) in [
            (pymysql, "pymysql", 45, false, false),
            (libmysqlclient, "libmysql", 255, false, true),
            (mysql2, "Node-MySQL-2", 224, true, false),
        ] {
            let payload = parts.concat();
            let login = parse_response(&payload).unwrap();
            assert_eq!((login.user.as_str(), login.database.as_deref(), login.collation), ("n", Some("d"), collation));
            assert_eq!(login.plugin.as_deref(), Some("caching_sha2_password"));
            assert_eq!(login.auth_data, token.as_bytes());
            assert_eq!(login.attributes[0], ("_client_name".to_owned(), name.to_owned()));
            assert_eq!(login.capabilities.has(C::FOUND_ROWS), found_rows);
            assert_eq!(login.capabilities.has(C::DEPRECATE_EOF), deprecate_eof);
            assert!(!login.capabilities.has(C::QUERY_ATTRIBUTES), "asked for, but not offered");
            // Cut anywhere, it is either refused or read without what is missing.
            for end in 0..payload.len() {
                let cut = parse_response(&payload[..end]);
                assert!(
                    cut.is_none_or(|cut| cut.user == "n" && cut.auth_data == login.auth_data),
                    "{name} cut at {end}"
                );
            }
        }

        let mysql2 = b"s\0\x14aaaabbbbccccddddeeeed\0\xe0\0mysql_native_password\0\0";
        let login = parse_change_user(mysql2, C::OFFERED).unwrap();
        assert_eq!((login.user.as_str(), login.database.as_deref(), login.collation), ("s", Some("d"), 224));
        assert_eq!(login.plugin.as_deref(), Some("mysql_native_password"));
        assert!(login.change_user && login.attributes.is_empty());
        for end in 0..mysql2.len() {
            let _ = parse_change_user(&mysql2[..end], C::OFFERED);
        }
    }
}
