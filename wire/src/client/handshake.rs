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
