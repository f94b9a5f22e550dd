//! Accounts: names, CREATE/ALTER USER, GRANT, REVOKE.

use super::lex::{Op, Tok};
use super::{Parser, Result1};
use crate::ast::{AuthSpec, Grant, GrantLevel, ObjectName, Privilege, Revoke, Secret, Statement, UserName, UserSpec};
use crate::error;

/// Privileges of more than one word, longest first.
const LONG_PRIVILEGES: [&[&str]; 16] = [
    &["CREATE", "TEMPORARY", "TABLES"],
    &["REPLICATION", "CLIENT"],
    &["REPLICATION", "SLAVE"],
    &["REPLICATION", "REPLICA"],
    &["SHOW", "DATABASES"],
    &["LOCK", "TABLES"],
    &["CREATE", "VIEW"],
    &["SHOW", "VIEW"],
    &["CREATE", "ROUTINE"],
    &["ALTER", "ROUTINE"],
    &["CREATE", "USER"],
    &["CREATE", "TABLESPACE"],
    &["CREATE", "ROLE"],
    &["DROP", "ROLE"],
    &["GRANT", "OPTION"],
    &["ALL", "PRIVILEGES"],
];

/// Privileges of one word that are keywords of the grammar.
const SHORT_PRIVILEGES: [&str; 19] = [
    "ALL",
    "ALTER",
    "CREATE",
    "DELETE",
    "DROP",
    "EVENT",
    "EXECUTE",
    "FILE",
    "INDEX",
    "INSERT",
    "PROCESS",
    "PROXY",
    "REFERENCES",
    "RELOAD",
    "SELECT",
    "SHUTDOWN",
    "SUPER",
    "TRIGGER",
    "UPDATE",
];

impl Parser<'_> {
    /// `'user'@'host'`, `user`, `CURRENT_USER()`.
    pub(crate) fn user_name(&mut self) -> Result1<UserName> {
        if self.kw_if("CURRENT_USER") || (self.is_kw("USER") && self.is_op_at(1, Op::LParen) && self.kw_if("USER")) {
            if self.op_if(Op::LParen) {
                self.op(Op::RParen)?;
            }
            return Ok(UserName { user: String::new(), host: String::new(), current: true });
        }
        let user = match &self.peek().tok {
            Tok::Str(_) => self.string()?,
            _ => self.ident()?,
        };
        let host = match &self.peek().tok {
            Tok::UserVar(host) => {
                self.advance();
                host.to_ascii_lowercase()
            }
            Tok::Op(Op::At) => {
                self.advance();
                match &self.peek().tok {
                    Tok::Str(_) => self.string()?.to_ascii_lowercase(),
                    _ => self.ident()?.to_ascii_lowercase(),
                }
            }
            _ => "%".to_owned(),
        };
        if user.chars().count() > 32 {
            return Err(error::error(
                1470,
                format!("String '{user}' is too long for user name (should be no longer than 32)"),
            ));
        }
        if host.chars().count() > 255 {
            return Err(error::error(
                1470,
                format!("String '{host}' is too long for host name (should be no longer than 255)"),
            ));
        }
        Ok(UserName { user, host, current: false })
    }

    fn user_spec(&mut self) -> Result1<UserSpec> {
        let name = self.user_name()?;
        if !self.kw_if("IDENTIFIED") {
            return Ok(UserSpec { name, auth: None });
        }
        if self.kw_if("BY") {
            if self.kw_if("PASSWORD") {
                // 5.7: the stored string of mysql_native_password.
                let stored = self.string()?.into_bytes();
                let plugin = Some("mysql_native_password".to_owned());
                return Ok(UserSpec { name, auth: Some(AuthSpec { plugin, secret: Secret::Stored(stored) }) });
            }
            if self.kws_if(&["RANDOM", "PASSWORD"]) {
                return self.unsupported("IDENTIFIED BY RANDOM PASSWORD");
            }
            let secret = Secret::Password(self.string()?);
            self.auth_options()?;
            return Ok(UserSpec { name, auth: Some(AuthSpec { plugin: None, secret }) });
        }
        self.kw("WITH")?;
        let plugin = Some(self.name_or_string()?.to_ascii_lowercase());
        let secret = if self.kw_if("BY") {
            Secret::Password(self.string()?)
        } else if self.kw_if("AS") {
            match &self.peek().tok {
                Tok::Str(bytes) | Tok::Hex(bytes) => {
                    self.advance();
                    Secret::Stored(bytes.clone())
                }
                _ => return Err(self.unexpected()),
            }
        } else {
            Secret::None
        };
        self.auth_options()?;
        Ok(UserSpec { name, auth: Some(AuthSpec { plugin, secret }) })
    }

    fn auth_options(&mut self) -> Result1<()> {
        if self.kw_if("REPLACE") {
            self.string()?;
        }
        if self.kws_if(&["RETAIN", "CURRENT", "PASSWORD"]) || self.is_kw("AND") {
            return self.unsupported("dual passwords and several factors");
        }
        Ok(())
    }

    /// REQUIRE, WITH limits, PASSWORD EXPIRE, ACCOUNT LOCK, COMMENT after a user list.
    fn user_options(&mut self) -> Result1<()> {
        loop {
            if self.kws_if(&["REQUIRE", "NONE"])
                || self.kws_if(&["ACCOUNT", "UNLOCK"])
                || self.kws_if(&["PASSWORD", "EXPIRE", "NEVER"])
                || self.kws_if(&["PASSWORD", "EXPIRE", "DEFAULT"])
                || self.kws_if(&["PASSWORD", "HISTORY", "DEFAULT"])
                || self.kws_if(&["PASSWORD", "REUSE", "INTERVAL", "DEFAULT"])
                || self.kws_if(&["PASSWORD", "REQUIRE", "CURRENT", "DEFAULT"])
            {
                continue;
            }
            for (word, what) in [
                ("REQUIRE", "REQUIRE SSL"),
                ("ACCOUNT", "ACCOUNT LOCK"),
                ("PASSWORD", "password policies"),
                ("COMMENT", "COMMENT of accounts"),
                ("ATTRIBUTE", "ATTRIBUTE of accounts"),
                ("FAILED_LOGIN_ATTEMPTS", "FAILED_LOGIN_ATTEMPTS"),
                ("WITH", "resource limits"),
            ] {
                if self.is_kw(word) {
                    return self.unsupported(what);
                }
            }
            return Ok(());
        }
    }

    /// After CREATE USER.
    pub(crate) fn create_user(&mut self) -> Result1<Statement> {
        let if_not_exists = self.if_not_exists();
        let users = self.comma_list(Self::user_spec)?;
        if self.is_kw("DEFAULT") {
            return self.unsupported("DEFAULT ROLE");
        }
        self.user_options()?;
        Ok(Statement::CreateUser { if_not_exists, users })
    }

    /// After ALTER USER.
    pub(crate) fn alter_user(&mut self) -> Result1<Statement> {
        let if_exists = self.if_exists();
        let users = self.comma_list(Self::user_spec)?;
        if self.is_kw("DEFAULT") {
            return self.unsupported("DEFAULT ROLE");
        }
        self.user_options()?;
        Ok(Statement::AlterUser { if_exists, users })
    }

    fn privilege(&mut self) -> Result1<Privilege> {
        let mut name = None;
        for words in LONG_PRIVILEGES {
            if self.kws_if(words) {
                name = Some(words.join(" "));
                break;
            }
        }
        let name = match name {
            Some(name) if name == "ALL PRIVILEGES" => "ALL".to_owned(),
            Some(name) if name == "REPLICATION REPLICA" => "REPLICATION SLAVE".to_owned(),
            Some(name) => name,
            None => match self.one_of(&SHORT_PRIVILEGES) {
                Some("PROXY") => return self.unsupported("GRANT PROXY"),
                Some(word) => word.to_owned(),
                None if self.kw_if("USAGE") => "USAGE".to_owned(),
                // Dynamic privileges, and roles.
                None => self.ident()?.to_ascii_uppercase(),
            },
        };
        let columns = if self.is_op(Op::LParen) { self.paren_list(Self::ident)? } else { Vec::new() };
        Ok(Privilege { name, columns })
    }

    /// After ON.
    fn level(&mut self) -> Result1<GrantLevel> {
        if self.one_of(&["PROCEDURE", "FUNCTION"]).is_some() {
            return Ok(GrantLevel::Routine(self.object_name()?));
        }
        self.kw_if("TABLE");
        if self.op_if(Op::Star) {
            if !self.op_if(Op::Dot) {
                return Ok(GrantLevel::CurrentDatabase);
            }
            self.op(Op::Star)?;
            return Ok(GrantLevel::Global);
        }
        let first = self.ident()?;
        if !self.op_if(Op::Dot) {
            return Ok(GrantLevel::Table(ObjectName::bare(first)));
        }
        if self.op_if(Op::Star) {
            return Ok(GrantLevel::Database(first));
        }
        let name = self.ident_after_dot()?;
        Ok(GrantLevel::Table(ObjectName { schema: Some(first), name }))
    }

    pub(crate) fn grant(&mut self) -> Result1<Statement> {
        self.kw("GRANT")?;
        let privileges = self.comma_list(Self::privilege)?;
        if self.is_kw("TO") {
            return self.unsupported("roles");
        }
        self.kw("ON")?;
        let level = self.level()?;
        self.kw("TO")?;
        let users = self.comma_list(Self::user_spec)?;
        self.kws_if(&["REQUIRE", "NONE"]);
        let mut grant_option = false;
        if self.kw_if("WITH") {
            if !self.kws_if(&["GRANT", "OPTION"]) {
                return self.unsupported("resource limits");
            }
            grant_option = true;
        }
        if self.is_kw("AS") {
            return self.unsupported("GRANT ... AS");
        }
        Ok(Statement::Grant(Box::new(Grant { privileges, level, users, grant_option })))
    }

    pub(crate) fn revoke(&mut self) -> Result1<Statement> {
        self.kw("REVOKE")?;
        let if_exists = self.if_exists();
        let privileges = self.comma_list(Self::privilege)?;
        let level = if self.kw_if("ON") { Some(self.level()?) } else { None };
        self.kw("FROM")?;
        let users = self.comma_list(Self::user_name)?;
        self.kws_if(&["IGNORE", "UNKNOWN", "USER"]);
        let everything = privileges.len() == 2 && privileges[0].name == "ALL" && privileges[1].name == "GRANT OPTION";
        if level.is_none() && !everything {
            return self.unsupported("roles");
        }
        Ok(Statement::Revoke(Box::new(Revoke { if_exists, privileges, level, users })))
    }
}
