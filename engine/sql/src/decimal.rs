//! DECIMAL: exact numbers with a fixed count of digits after the point, rounding half away from zero.
//!
//! Scales stay within MySQL's 0..=30; digits are bounded by [`Decimal::DIGITS_MAX`], checked where
//! values are stored or come from outside.

use num_bigint::{BigInt, Sign};
use num_traits::{Signed, ToPrimitive, Zero};
use std::cmp::Ordering;
use std::fmt;

/// An exact number: `unscaled / 10^scale`.
#[derive(Clone, Debug)]
pub struct Decimal {
    unscaled: BigInt,
    scale: u8,
}

fn power(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

/// `a / b`, rounded half away from zero.
fn divide_rounding(a: &BigInt, b: &BigInt) -> BigInt {
    let (quotient, remainder) = (a / b, a % b);
    if (remainder.abs() * 2) < b.abs() {
        quotient
    } else if (a.sign() == Sign::Minus) == (b.sign() == Sign::Minus) {
        quotient + 1
    } else {
        quotient - 1
    }
}

impl Decimal {
    /// Most digits after the point.
    pub const SCALE_MAX: u8 = 30;
    /// Most digits in all.
    pub const DIGITS_MAX: u32 = 65;
    /// Digits that a division adds (`div_precision_increment`).
    pub const DIVISION_DIGITS: u8 = 4;

    /// An integer.
    #[must_use]
    pub fn from_int(value: i128) -> Self {
        Self { unscaled: BigInt::from(value), scale: 0 }
    }

    /// Digits after the point.
    #[must_use]
    pub const fn scale(&self) -> u8 {
        self.scale
    }

    /// Significant digits in front of the point.
    #[must_use]
    pub fn integer_digits(&self) -> u32 {
        let whole = self.unscaled.abs() / power(u32::from(self.scale));
        if whole.is_zero() { 0 } else { whole.to_string().len() as u32 }
    }

    /// Reads `[+-]digits[.digits][e[+-]digits]` from the front of `text`; also says how many bytes it read.
    /// `None` when there is no number there. Values beyond what a DECIMAL can hold become its greatest.
    #[must_use]
    pub fn parse_prefix(text: &str) -> Option<(Self, usize)> {
        let bytes = text.as_bytes();
        let mut at = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
        let negative = bytes.first() == Some(&b'-');
        let mut digits = String::new();
        let mut scale: i64 = 0;
        let mut point = false;
        let mut any = false;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'0'..=b'9' => {
                    any = true;
                    // Digits that can't matter are counted, not kept.
                    if digits.len() < 120 {
                        digits.push(byte as char);
                        scale += i64::from(point);
                    } else if !point {
                        scale -= 1;
                    }
                }
                b'.' if !point => point = true,
                _ => break,
            }
            at += 1;
        }
        if !any {
            return None;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            let from = at + 1 + sign;
            let mut to = from;
            while bytes.get(to).is_some_and(u8::is_ascii_digit) {
                to += 1;
            }
            if to > from {
                let exponent: i64 = text[from..to].parse().unwrap_or(i64::MAX).min(1000);
                scale -= if bytes[at + 1] == b'-' { -exponent } else { exponent };
                at = to;
            }
        }
        let mut unscaled: BigInt = digits.parse().unwrap_or_default();
        if negative {
            unscaled = -unscaled;
        }
        let decimal = if scale < 0 {
            let factor = if unscaled.is_zero() { 0 } else { (-scale).min(200) as u32 };
            Self { unscaled: unscaled * power(factor), scale: 0 }
        } else if scale > i64::from(Self::SCALE_MAX) {
            let over = scale - i64::from(Self::SCALE_MAX);
            let unscaled = if over > 150 { BigInt::zero() } else { divide_rounding(&unscaled, &power(over as u32)) };
            Self { unscaled, scale: Self::SCALE_MAX }
        } else {
            Self { unscaled, scale: scale as u8 }
        };
        Some((decimal.clamped(), at))
    }

    /// Reads a whole text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_prefix(text).filter(|(_, read)| *read == text.len()).map(|(decimal, _)| decimal)
    }

    fn clamped(self) -> Self {
        let limit = power(Self::DIGITS_MAX) - 1;
        if self.unscaled.abs() <= limit {
            return self;
        }
        if self.scale > 0 {
            let digits = self.unscaled.abs().to_string().len() as u32;
            let drop = (digits - Self::DIGITS_MAX).min(u32::from(self.scale)) as u8;
            let scale = self.scale - drop;
            let shorter = self.rounded(scale);
            if shorter.unscaled.abs() <= limit {
                return shorter;
            }
        }
        let unscaled = if self.unscaled.is_negative() { -limit } else { limit };
        Self { unscaled, scale: 0 }
    }

    /// The nearest double.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// A double's shortest decimal form; `None` for NaN and infinities.
    #[must_use]
    pub fn from_f64(value: f64) -> Option<Self> {
        value.is_finite().then(|| Self::parse(&format!("{value}"))).flatten()
    }

    /// Rounded to an integer; `None` when it does not fit.
    #[must_use]
    pub fn to_i128(&self) -> Option<i128> {
        self.rounded(0).unscaled.to_i128()
    }

    /// Without its digits after the point.
    #[must_use]
    pub fn truncated(&self, scale: u8) -> Self {
        if scale >= self.scale {
            return self.rounded(scale);
        }
        Self { unscaled: &self.unscaled / power(u32::from(self.scale - scale)), scale }
    }

    /// With `scale` digits after the point, rounding half away from zero.
    #[must_use]
    pub fn rounded(&self, scale: u8) -> Self {
        match scale.cmp(&self.scale) {
            Ordering::Equal => self.clone(),
            Ordering::Greater => Self { unscaled: &self.unscaled * power(u32::from(scale - self.scale)), scale },
            Ordering::Less => {
                Self { unscaled: divide_rounding(&self.unscaled, &power(u32::from(self.scale - scale))), scale }
            }
        }
    }

    /// Rounded to tens, hundreds ...: `digits` places in front of the point.
    #[must_use]
    pub fn rounded_to_power(&self, digits: u32) -> Self {
        let unit = power(digits.min(70));
        let rounded = divide_rounding(&self.unscaled, &(&unit * power(u32::from(self.scale))));
        Self { unscaled: rounded * unit, scale: 0 }
    }

    /// Whether it is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.unscaled.is_zero()
    }

    /// Whether it is below zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.unscaled.is_negative()
    }

    /// Greatest integer not above it (or least not below it).
    #[must_use]
    pub fn whole(&self, up: bool) -> Self {
        let truncated = self.truncated(0);
        let exact = truncated == *self;
        let step = match (exact, up, self.is_negative()) {
            (false, true, false) => 1,
            (false, false, true) => -1,
            _ => 0,
        };
        Self { unscaled: truncated.unscaled + step, scale: 0 }
    }

    /// Sum.
    #[must_use]
    pub fn add(&self, other: &Self) -> Self {
        let scale = self.scale.max(other.scale);
        let (left, right) = (self.rounded(scale), other.rounded(scale));
        Self { unscaled: left.unscaled + right.unscaled, scale }.clamped()
    }

    /// The number with the other sign.
    #[must_use]
    pub fn negated(&self) -> Self {
        Self { unscaled: -&self.unscaled, scale: self.scale }
    }

    /// Product, with at most [`Decimal::SCALE_MAX`] digits after the point.
    #[must_use]
    pub fn multiply(&self, other: &Self) -> Self {
        let unscaled = &self.unscaled * &other.unscaled;
        let scale = self.scale + other.scale;
        let product = Self { unscaled, scale };
        product.rounded(scale.min(Self::SCALE_MAX)).clamped()
    }

    /// Quotient with `scale` digits after the point; `None` when dividing by zero.
    #[must_use]
    pub fn divide(&self, other: &Self, scale: u8) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        let shift = i32::from(scale) + i32::from(other.scale) - i32::from(self.scale);
        let (mut dividend, mut divisor) = (self.unscaled.clone(), other.unscaled.clone());
        if shift >= 0 {
            dividend *= power(shift as u32);
        } else {
            divisor *= power(shift.unsigned_abs());
        }
        Some(Self { unscaled: divide_rounding(&dividend, &divisor), scale }.clamped())
    }

    /// Remainder with the dividend's sign; `None` when dividing by zero.
    #[must_use]
    pub fn remainder(&self, other: &Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        let scale = self.scale.max(other.scale);
        Some(Self { unscaled: self.rounded(scale).unscaled % other.rounded(scale).unscaled, scale })
    }

    /// The unscaled number as big-endian two's complement, for keys.
    #[must_use]
    pub fn unscaled_at(&self, scale: u8) -> BigInt {
        self.rounded(scale).unscaled
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        self.rounded(scale).unscaled.cmp(&other.rounded(scale).unscaled)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.unscaled.abs().to_string();
        let scale = usize::from(self.scale);
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        if self.unscaled.is_negative() {
            f.write_str("-")?;
        }
        f.write_str(whole)?;
        if scale > 0 {
            write!(f, ".{fraction}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn arithmetic_keeps_mysqls_scales() {
        assert_eq!(decimal("5").divide(&decimal("2"), 4).unwrap().to_string(), "2.5000");
        assert_eq!(decimal("-1").divide(&decimal("3"), 4).unwrap().to_string(), "-0.3333");
        assert_eq!(decimal("2").divide(&decimal("3"), 4).unwrap().to_string(), "0.6667");
        assert_eq!(decimal("1.10").add(&decimal("2.2")).to_string(), "3.30");
        assert_eq!(decimal("1.5").multiply(&decimal("-1.5")).to_string(), "-2.25");
        assert_eq!(decimal("-7").remainder(&decimal("3")).unwrap().to_string(), "-1");
        assert_eq!(decimal("1").divide(&decimal("0.0"), 4), None);
    }

    #[test]
    fn rounding_is_half_away_from_zero() {
        for (text, scale, rounded) in
            [("2.5", 0, "3"), ("-2.5", 0, "-3"), ("2.45", 1, "2.5"), ("-0.04", 1, "0.0"), ("7", 2, "7.00")]
        {
            assert_eq!(decimal(text).rounded(scale).to_string(), rounded, "{text}");
        }
        assert_eq!(decimal("1250").rounded_to_power(2).to_string(), "1300");
        assert_eq!(decimal("-1.2").whole(false).to_string(), "-2");
        assert_eq!(decimal("-1.2").whole(true).to_string(), "-1");
        assert_eq!(decimal("1.2").whole(true).to_string(), "2");
    }

    #[test]
    fn texts_are_read_up_to_where_they_stop_being_numbers() {
        for (text, value, read) in [
            ("12abc", "12", 2),
            ("-.5", "-0.5", 3),
            ("1e3", "1000", 3),
            ("1.5e-2x", "0.015", 6),
            ("1e", "1", 1),
            ("+7", "7", 2),
        ] {
            let (decimal, bytes) = Decimal::parse_prefix(text).unwrap();
            assert_eq!((decimal.to_string().as_str(), bytes), (value, read), "{text}");
        }
        for text in ["", "abc", "-", "."] {
            assert!(Decimal::parse_prefix(text).is_none(), "{text}");
        }
        let huge = Decimal::parse(&"9".repeat(500)).unwrap();
        assert_eq!(huge.to_string(), "9".repeat(65));
        assert!(Decimal::parse("1e999999999999").is_some());
        assert_eq!(Decimal::parse("1e-999999999999").unwrap(), Decimal::from_int(0));
    }
}
