//! Parameters of prepared statements, as COM_STMT_EXECUTE and COM_STMT_SEND_LONG_DATA bring them.

use super::codec::Reader;
use super::constant::ColumnType;
use super::error::ServerError;
use super::request::{Execute, malformed};
pub use super::row::{DateTime, Time};
use std::collections::BTreeMap;

/// Type of a parameter. The session keeps the last ones with the statement: a client may send them once only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterType {
    /// Type.
    pub kind: ColumnType,
    /// Of integers.
    pub unsigned: bool,
}

/// Value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Parameter<'a> {
    /// NULL.
    Null,
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    UInt(u64),
    /// FLOAT.
    Float(f32),
    /// DOUBLE.
    Double(f64),
    /// Text in the session's `character_set_client`, a DECIMAL as text, or bytes: see the type.
    Bytes(&'a [u8]),
    /// DATE.
    Date(DateTime),
    /// DATETIME or TIMESTAMP.
    DateTime(DateTime),
    /// TIME.
    Time(Time),
}

/// Values that came by COM_STMT_SEND_LONG_DATA. Kept with the statement; cleared by each execution and by
/// COM_STMT_RESET.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LongData {
    values: BTreeMap<u16, Vec<u8>>,
    bytes: usize,
    too_long: bool,
}

impl LongData {
    /// Appends a piece. All values together may have `bytes_max` (`max_allowed_packet`); beyond it nothing is
    /// kept, and the next execution fails.
    pub fn append(&mut self, parameter: u16, data: &[u8], bytes_max: usize) {
        self.bytes = self.bytes.saturating_add(data.len());
        if self.bytes > bytes_max {
            self.values.clear();
            self.too_long = true;
        } else if !self.too_long {
            self.values.entry(parameter).or_default().extend_from_slice(data);
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Execute {
    /// Reads the values of `count` parameters into `values`, which is cleared first. `types` are those of the
    /// last execution of the statement, and are replaced when the client sends new ones.
    ///
    /// # Errors
    /// 1835 when the packet is too short or its types are unknown, or missing at the first execution; 1105 when
    /// long data was too long.
    pub fn parameters<'a>(
        &'a self,
        count: usize,
        types: &mut Vec<ParameterType>,
        long_data: &'a LongData,
        values: &mut Vec<Parameter<'a>>,
    ) -> Result<(), ServerError> {
        values.clear();
        if long_data.too_long {
            let text = "Parameter of prepared statement which is set through mysql_send_long_data() is longer than \
                        'max_allowed_packet' bytes";
            return Err(ServerError::new(1105, text));
        }
        if count == 0 {
            return Ok(());
        }
        read_values(Reader(&self.parameters), count, types, long_data, values).ok_or_else(malformed)
    }
}

fn read_values<'a>(
    mut reader: Reader<'a>,
    count: usize,
    types: &mut Vec<ParameterType>,
    long_data: &'a LongData,
    values: &mut Vec<Parameter<'a>>,
) -> Option<()> {
    let nulls = reader.take(count.div_ceil(8))?;
    if reader.u8()? == 1 {
        let pairs = reader.take(count.checked_mul(2)?)?;
        types.clear();
        for pair in pairs.chunks(2) {
            let kind = ColumnType::from_number(pair[0])?;
            types.push(ParameterType { kind, unsigned: pair[1] & 0x80 != 0 });
        }
    }
    if types.len() != count {
        return None;
    }
    for (at, kind) in types.iter().enumerate() {
        let long = u16::try_from(at).ok().and_then(|at| long_data.values.get(&at));
        values.push(if let Some(long) = long {
            Parameter::Bytes(long)
        } else if nulls[at / 8] & 1 << (at % 8) != 0 {
            Parameter::Null
        } else {
            read_value(&mut reader, *kind)?
        });
    }
    Some(())
}

pub(super) fn read_value<'a>(reader: &mut Reader<'a>, kind: ParameterType) -> Option<Parameter<'a>> {
    let integer = |unsigned: u64, signed: i64| {
        if kind.unsigned { Parameter::UInt(unsigned) } else { Parameter::Int(signed) }
    };
    Some(match kind.kind {
        ColumnType::Null => Parameter::Null,
        ColumnType::Tiny | ColumnType::Bool => {
            let value = reader.u8()?;
            integer(value.into(), value.cast_signed().into())
        }
        ColumnType::Short | ColumnType::Year => {
            let value = reader.u16()?;
            integer(value.into(), value.cast_signed().into())
        }
        ColumnType::Long | ColumnType::Int24 => {
            let value = reader.u32()?;
            integer(value.into(), value.cast_signed().into())
        }
        ColumnType::LongLong => {
            let value = reader.u64()?;
            integer(value, value.cast_signed())
        }
        ColumnType::Float => Parameter::Float(f32::from_bits(reader.u32()?)),
        ColumnType::Double => Parameter::Double(f64::from_bits(reader.u64()?)),
        ColumnType::Date | ColumnType::NewDate => Parameter::Date(read_date(reader)?),
        ColumnType::DateTime | ColumnType::DateTime2 | ColumnType::Timestamp | ColumnType::Timestamp2 => {
            Parameter::DateTime(read_date(reader)?)
        }
        ColumnType::Time | ColumnType::Time2 => Parameter::Time(read_time(reader)?),
        ColumnType::Decimal
        | ColumnType::NewDecimal
        | ColumnType::VarChar
        | ColumnType::Bit
        | ColumnType::Json
        | ColumnType::Enum
        | ColumnType::Set
        | ColumnType::TinyBlob
        | ColumnType::MediumBlob
        | ColumnType::LongBlob
        | ColumnType::Blob
        | ColumnType::VarString
        | ColumnType::String
        | ColumnType::Geometry => Parameter::Bytes(reader.lenenc_bytes()?),
    })
}

fn read_date(reader: &mut Reader<'_>) -> Option<DateTime> {
    let length = usize::from(reader.u8()?);
    let mut parts = Reader(reader.take(length)?);
    let mut value = DateTime::default();
    if length >= 4 {
        (value.year, value.month, value.day) = (parts.u16()?, parts.u8()?, parts.u8()?);
    }
    if length >= 7 {
        (value.hour, value.minute, value.second) = (parts.u8()?, parts.u8()?, parts.u8()?);
    }
    if length >= 11 {
        value.micros = parts.u32()?;
    }
    matches!(length, 0 | 4 | 7 | 11).then_some(value)
}

fn read_time(reader: &mut Reader<'_>) -> Option<Time> {
    let length = usize::from(reader.u8()?);
    let mut parts = Reader(reader.take(length)?);
    let mut value = Time::default();
    if length >= 8 {
        value.negative = parts.u8()? != 0;
        let days = parts.u32()?;
        value.hours = days.checked_mul(24)?.checked_add(parts.u8()?.into())?;
        (value.minutes, value.seconds) = (parts.u8()?, parts.u8()?);
    }
    if length >= 12 {
        value.micros = parts.u32()?;
    }
    matches!(length, 0 | 8 | 12).then_some(value)
}
