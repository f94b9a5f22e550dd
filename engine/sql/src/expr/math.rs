//! Functions of numbers, bits, addresses and digests that stand for themselves.

use super::Type;
use super::function::Args;
use crate::collate::Collation;
use crate::decimal::Decimal;
use crate::error::{SqlError, error};
use crate::value::{Level, Value, Warning};
use sha2::Digest;
use std::net::{Ipv4Addr, Ipv6Addr};
use wire::client::constant::ColumnType;

/// Name, least and most arguments, by name.
pub(super) const FUNCTIONS: &[(&str, usize, usize)] = &[
    ("ACOS", 1, 1),
    ("ASIN", 1, 1),
    ("ATAN", 1, 2),
    ("ATAN2", 2, 2),
    ("BENCHMARK", 2, 2),
    ("BIN", 1, 1),
    ("BIN_TO_UUID", 1, 2),
    ("CONV", 3, 3),
    ("COS", 1, 1),
    ("COT", 1, 1),
    ("CRC32", 1, 1),
    ("DEGREES", 1, 1),
    ("EXPORT_SET", 3, 5),
    ("FORMAT", 2, 3),
    ("FROM_BASE64", 1, 1),
    ("INET6_ATON", 1, 1),
    ("INET6_NTOA", 1, 1),
    ("INET_ATON", 1, 1),
    ("INET_NTOA", 1, 1),
    ("INSERT", 4, 4),
    ("INTERVAL", 2, usize::MAX),
    ("IS_IPV4", 1, 1),
    ("IS_IPV6", 1, 1),
    ("IS_UUID", 1, 1),
    ("MAKE_SET", 2, usize::MAX),
    ("OCT", 1, 1),
    ("ORD", 1, 1),
    ("RADIANS", 1, 1),
    ("SHA2", 2, 2),
    ("SIN", 1, 1),
    ("SOUNDEX", 1, 1),
    ("TAN", 1, 1),
    ("TO_BASE64", 1, 1),
    ("UUID_TO_BIN", 1, 2),
];

pub(super) fn result_type(name: &str, kinds: &[Type], collation: Collation) -> Type {
    let longest = kinds.iter().map(|kind| kind.length).max().unwrap_or(0);
    match name {
        "ACOS" | "ASIN" | "ATAN" | "ATAN2" | "COS" | "COT" | "DEGREES" | "RADIANS" | "SIN" | "TAN" => Type::double(),
        "BENCHMARK" | "INTERVAL" | "IS_IPV4" | "IS_IPV6" | "IS_UUID" | "ORD" => Type::int(10),
        "CRC32" | "INET_ATON" => Type { unsigned: true, ..Type::bigint() },
        "INET6_ATON" | "UUID_TO_BIN" | "FROM_BASE64" => Type { kind: ColumnType::VarString, ..Type::bytes(longest) },
        "SHA2" => Type::text(128, collation, 4),
        "BIN" | "OCT" | "CONV" => Type::text(64, collation, 4),
        _ => Type::text(longest.saturating_mul(2).max(64), collation, 4),
    }
}

fn finite(value: f64) -> Value {
    if value.is_finite() { Value::Double(value) } else { Value::Null }
}

/// `value` in another base, without a sign.
fn in_base(value: u64, base: u32) -> String {
    let mut rest = value;
    let mut digits = Vec::new();
    while rest > 0 || digits.is_empty() {
        let digit = (rest % u64::from(base)) as u32;
        digits.push(char::from_digit(digit, base).unwrap_or('0').to_ascii_uppercase());
        rest /= u64::from(base);
    }
    digits.iter().rev().collect()
}

fn conv(args: &Args<'_>) -> Result<Value, SqlError> {
    let (Some(text), Some(from), Some(to)) = (args.text(0)?, args.int(1)?, args.int(2)?) else {
        return Ok(Value::Null);
    };
    let base = |base: i64| u32::try_from(base.unsigned_abs()).ok().filter(|base| (2..=36).contains(base));
    let (Some(from_base), Some(to_base)) = (base(from), base(to)) else { return Ok(Value::Null) };
    let text = text.trim();
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let mut value = 0_u64;
    for digit in digits.chars().map_while(|c| c.to_digit(from_base)) {
        value = value.saturating_mul(u64::from(from_base)).saturating_add(u64::from(digit));
    }
    let value = if negative { value.wrapping_neg() } else { value };
    if to < 0 && (value as i64) < 0 {
        return Ok(Value::text(format!("-{}", in_base((value as i64).unsigned_abs(), to_base))));
    }
    Ok(Value::text(in_base(value, to_base)))
}

fn format_number(args: &Args<'_>) -> Result<Value, SqlError> {
    let value = args.get(0)?;
    let (Some(number), Some(digits)) = (value.to_decimal(), args.int(1)?) else { return Ok(Value::Null) };
    let text = number.rounded(digits.clamp(0, 30) as u8).to_string();
    let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |text| ("-", text));
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut out = sign.to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    Ok(Value::text(out))
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let mut crc = crc ^ u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
        crc
    };
    !bytes.iter().fold(u32::MAX, step)
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn to_base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (at, chunk) in bytes.chunks(3).enumerate() {
        // A line has 76 characters.
        if at > 0 && at % 19 == 0 {
            out.push('\n');
        }
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = BASE64[(bits >> (18 - 6 * place) & 63) as usize] as char;
            out.push(if place <= chunk.len() { letter } else { '=' });
        }
    }
    out
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let letters: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if !letters.len().is_multiple_of(4) {
        return None;
    }
    let mut out = Vec::with_capacity(letters.len() / 4 * 3);
    for chunk in letters.chunks(4) {
        let padding = chunk.iter().rev().take_while(|letter| **letter == b'=').count();
        let mut bits = 0_u32;
        for letter in &chunk[..4 - padding.min(2)] {
            bits = bits << 6 | BASE64.iter().position(|other| other == letter)? as u32;
        }
        bits <<= 6 * padding.min(2);
        out.extend_from_slice(&bits.to_be_bytes()[1..4 - padding.min(2)]);
    }
    Some(out)
}

fn soundex(text: &str) -> String {
    let code = |c: char| match c.to_ascii_uppercase() {
        'B' | 'F' | 'P' | 'V' => Some('1'),
        'C' | 'G' | 'J' | 'K' | 'Q' | 'S' | 'X' | 'Z' => Some('2'),
        'D' | 'T' => Some('3'),
        'L' => Some('4'),
        'M' | 'N' => Some('5'),
        'R' => Some('6'),
        _ => None,
    };
    let mut letters = text.chars().filter(|c| c.is_alphabetic());
    let Some(first) = letters.next() else { return String::new() };
    let mut out: String = first.to_uppercase().collect();
    let mut last = code(first);
    for letter in letters {
        let own = code(letter);
        match own {
            Some(digit) if own != last => {
                out.push(digit);
                last = own;
            }
            Some(_) => {}
            None => {}
        }
    }
    while out.chars().count() < 4 {
        out.push('0');
    }
    out
}

/// The bytes of a UUID's text; time parts first where `swap`.
fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let text = text.trim_start_matches('{').trim_end_matches('}');
    let plain = text.len() == 36 && [8, 13, 18, 23].iter().all(|at| text.as_bytes()[*at] == b'-') || text.len() == 32;
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if !plain || digits.len() != 32 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    Some(u128::from_str_radix(&digits, 16).ok()?.to_be_bytes())
}

fn uuid_text(bytes: &[u8; 16]) -> String {
    let digits = format!("{:032x}", u128::from_be_bytes(*bytes));
    let part = |from: usize, to: usize| &digits[from..to];
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

fn swapped(bytes: [u8; 16], forth: bool) -> [u8; 16] {
    let mut out = bytes;
    if forth {
        out[..2].copy_from_slice(&bytes[6..8]);
        out[2..4].copy_from_slice(&bytes[4..6]);
        out[4..8].copy_from_slice(&bytes[..4]);
    } else {
        out[..4].copy_from_slice(&bytes[4..8]);
        out[4..6].copy_from_slice(&bytes[2..4]);
        out[6..8].copy_from_slice(&bytes[..2]);
    }
    out
}

fn refuse(args: &Args<'_>, text: &str, name: &str) -> Value {
    let message = format!("Incorrect string value: ''{text}'' for function {name}");
    args.env.warn(Warning { level: Level::Warning, code: 1411, message });
    Value::Null
}

pub(super) fn call(name: &str, args: &Args<'_>) -> Result<Value, SqlError> {
    match name {
        "CONV" => return conv(args),
        "FORMAT" => return format_number(args),
        "BENCHMARK" => return Ok(Value::Int(0)),
        "MAKE_SET" => {
            let Some(bits) = args.get(0)?.to_bits() else { return Ok(Value::Null) };
            let mut parts = Vec::new();
            for at in 1..args.nodes.len().min(65) {
                if bits >> (at - 1) & 1 == 1
                    && let Some(text) = args.text(at)?
                {
                    parts.push(text);
                }
            }
            return Ok(Value::text(parts.join(",")));
        }
        "EXPORT_SET" => {
            let Some(bits) = args.get(0)?.to_bits() else { return Ok(Value::Null) };
            let (Some(on), Some(off)) = (args.text(1)?, args.text(2)?) else { return Ok(Value::Null) };
            let between = if args.nodes.len() > 3 { args.text(3)? } else { Some(",".into()) };
            let count = if args.nodes.len() > 4 { args.int(4)?.unwrap_or(64).clamp(0, 64) } else { 64 };
            let Some(between) = between else { return Ok(Value::Null) };
            let parts: Vec<&str> =
                (0..count).map(|at| if bits >> at & 1 == 1 { on.as_str() } else { off.as_str() }).collect();
            return Ok(Value::text(parts.join(&between)));
        }
        "INTERVAL" => {
            let Some(first) = args.double(0)? else { return Ok(Value::Int(-1)) };
            let mut count = 0;
            for at in 1..args.nodes.len() {
                if args.double(at)?.is_some_and(|bound| bound > first) {
                    break;
                }
                count += 1;
            }
            return Ok(Value::Int(count));
        }
        _ => {}
    }
    let value = args.get(0)?;
    if value.is_null() {
        return Ok(Value::Null);
    }
    let number = || value.to_f64().unwrap_or(0.0);
    let text = || value.to_text().unwrap_or_default().into_owned();
    let bytes = || value.to_bytes().unwrap_or_default().into_owned();
    Ok(match name {
        "ACOS" => finite(number().acos()),
        "ASIN" => finite(number().asin()),
        "ATAN" if args.nodes.len() == 1 => finite(number().atan()),
        "ATAN" | "ATAN2" => args.double(1)?.map_or(Value::Null, |other| finite(number().atan2(other))),
        "COS" => finite(number().cos()),
        "SIN" => finite(number().sin()),
        "TAN" => finite(number().tan()),
        "COT" => match number().tan() {
            0.0 => return Err(error(1690, format!("DOUBLE value is out of range in 'cot({})'", text()))),
            tan => finite(1.0 / tan),
        },
        "DEGREES" => finite(number().to_degrees()),
        "RADIANS" => finite(number().to_radians()),
        "BIN" | "OCT" => {
            // Of a date or time the digits at its front count: 12 of 12:30:00.
            let number = if value.is_temporal() { value.to_text().map(|text| Value::text(&*text)) } else { None };
            let bits =
                number.as_ref().unwrap_or(&value).to_decimal().map_or(0, |decimal| decimal_bits(&decimal.truncated(0)));
            Value::text(in_base(bits, if name == "BIN" { 2 } else { 8 }))
        }
        "CRC32" => Value::uint(u64::from(crc32(&bytes()))),
        "ORD" => {
            let text = text();
            let first = text.chars().next().map(|c| c.len_utf8()).unwrap_or(0);
            let code = text.as_bytes()[..first].iter().fold(0_u64, |code, byte| code << 8 | u64::from(*byte));
            Value::uint(code)
        }
        "SOUNDEX" => Value::text(soundex(&text())),
        "TO_BASE64" => Value::text(to_base64(&bytes())),
        "FROM_BASE64" => from_base64(&text()).map_or(Value::Null, Value::bytes),
        "SHA2" => {
            let hex = |digest: &[u8]| Value::text(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
            match args.int(1)? {
                None => Value::Null,
                Some(224) => hex(&sha2::Sha224::digest(bytes())),
                Some(0 | 256) => hex(&sha2::Sha256::digest(bytes())),
                Some(384) => hex(&sha2::Sha384::digest(bytes())),
                Some(512) => hex(&sha2::Sha512::digest(bytes())),
                Some(_) => {
                    let message = "Incorrect parameters in the call to native function 'sha2'".into();
                    args.env.warn(Warning { level: Level::Warning, code: 1583, message });
                    Value::Null
                }
            }
        }
        "INSERT" => {
            let (Some(from), Some(length), Some(new)) = (args.int(1)?, args.int(2)?, args.text(3)?) else {
                return Ok(Value::Null);
            };
            let letters: Vec<char> = text().chars().collect();
            let Some(from) = usize::try_from(from).ok().and_then(|from| from.checked_sub(1)) else {
                return Ok(Value::text(text()));
            };
            if from >= letters.len() {
                return Ok(Value::text(text()));
            }
            let left = letters.len() - from;
            let cut = usize::try_from(length).map_or(left, |length| length.min(left));
            let mut out: String = letters[..from].iter().collect();
            out.push_str(&new);
            out.extend(&letters[from + cut..]);
            Value::text(out)
        }
        "INET_ATON" => {
            let text = text();
            let parts: Option<Vec<u64>> =
                text.split('.').map(|part| part.parse().ok().filter(|part| *part < 256)).collect();
            match parts.as_deref() {
                Some([front @ .., last]) if front.len() < 4 => {
                    let high = front.iter().enumerate().fold(0, |sum, (at, part)| sum | part << (24 - 8 * at));
                    Value::uint(high | last)
                }
                _ => refuse(args, &text, "inet_aton"),
            }
        }
        "INET_NTOA" => match value.to_i128().and_then(|bits| u32::try_from(bits).ok()) {
            Some(bits) => Value::text(Ipv4Addr::from(bits).to_string()),
            None => Value::Null,
        },
        "INET6_ATON" => {
            let text = text();
            match (text.parse::<Ipv4Addr>(), text.parse::<Ipv6Addr>()) {
                (Ok(four), _) => Value::bytes(four.octets()),
                (_, Ok(six)) => Value::bytes(six.octets()),
                _ => refuse(args, &text, "inet6_aton"),
            }
        }
        "INET6_NTOA" => {
            let bytes = bytes();
            match (<[u8; 4]>::try_from(bytes.as_slice()), <[u8; 16]>::try_from(bytes.as_slice())) {
                (Ok(four), _) => Value::text(Ipv4Addr::from(four).to_string()),
                (_, Ok(six)) => Value::text(Ipv6Addr::from(six).to_string()),
                _ => Value::Null,
            }
        }
        "IS_IPV4" => Value::bool(text().parse::<Ipv4Addr>().is_ok()),
        "IS_IPV6" => Value::bool(text().parse::<Ipv6Addr>().is_ok()),
        "IS_UUID" => Value::bool(uuid_bytes(&text()).is_some()),
        "UUID_TO_BIN" => {
            let swap = args.nodes.len() > 1 && args.get(1)?.truth() == Some(true);
            match uuid_bytes(&text()) {
                Some(bytes) => Value::bytes(if swap { swapped(bytes, true) } else { bytes }),
                None => {
                    let message = format!("Incorrect string value: '{}' for function uuid_to_bin", text());
                    return Err(error(1411, message));
                }
            }
        }
        "BIN_TO_UUID" => {
            let swap = args.nodes.len() > 1 && args.get(1)?.truth() == Some(true);
            match <[u8; 16]>::try_from(bytes().as_slice()) {
                Ok(bytes) => Value::text(uuid_text(&if swap { swapped(bytes, false) } else { bytes })),
                Err(_) => {
                    let message = format!("Incorrect string value: '{}' for function bin_to_uuid", text());
                    return Err(error(1411, message));
                }
            }
        }
        other => return Err(error(1305, format!("FUNCTION {other} does not exist"))),
    })
}

fn decimal_bits(value: &Decimal) -> u64 {
    Value::Decimal(value.clone()).to_bits().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_coded() {
        assert_eq!(crc32(b"MySQL"), 3_259_397_556);
        for text in ["", "a", "ab", "abc", "abcd"] {
            assert_eq!(from_base64(&to_base64(text.as_bytes())).as_deref(), Some(text.as_bytes()));
        }
        assert_eq!(to_base64(b"abc"), "YWJj");
        for text in ["!", "YWJ", "Y===", "===="] {
            assert!(from_base64(text).is_none_or(|bytes| bytes.is_empty()), "{text}");
        }
        assert_eq!(soundex("Hello"), "H400");
        let uuid = uuid_bytes("6ccd780c-baba-1026-9564-5b8c656024db").unwrap();
        assert_eq!(uuid_text(&swapped(swapped(uuid, true), false)), "6ccd780c-baba-1026-9564-5b8c656024db");
        assert_eq!(in_base(10, 2), "1010");
    }
}
