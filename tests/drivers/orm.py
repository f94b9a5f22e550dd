"""SQLAlchemy: its ORM, its reflection, its errors, over PyMySQL or mysqlclient."""
import datetime
import decimal
import sys

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

from common import DATABASE, HOST, PASSWORD, PORT, READ_ONLY, USER, check, end, refused

# One driver's tables are not another's.
DATABASE = f"{DATABASE}_{sys.argv[1]}"
engine = sa.create_engine(f"mysql+{sys.argv[1]}://{USER}:{PASSWORD}@{HOST}:{PORT}/{DATABASE}?charset=utf8mb4",
                          pool_pre_ping=True)


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "orm_author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(50), unique=True)
    born: Mapped[datetime.date | None]
    books: Mapped[list["Book"]] = relationship(back_populates="author", cascade="all, delete-orphan")


class Book(Base):
    __tablename__ = "orm_book"
    __table_args__ = (sa.Index("by_title", "title"), sa.CheckConstraint("price >= 0", name="not_negative"))
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(100))
    price: Mapped[decimal.Decimal] = mapped_column(sa.Numeric(10, 2), server_default="0.00")
    kind: Mapped[str] = mapped_column(sa.Enum("novel", "poem", name="kind"), default="novel")
    meta: Mapped[dict | None] = mapped_column(sa.JSON)
    added: Mapped[datetime.datetime] = mapped_column(server_default=sa.func.current_timestamp())
    sold: Mapped[bool] = mapped_column(default=False)
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("orm_author.id"))
    author: Mapped[Author] = relationship(back_populates="books")


def check_reflection():
    """What SQLAlchemy reads from SHOW CREATE TABLE and information_schema."""
    inspector = sa.inspect(engine)
    check("reflected tables", {"orm_author", "orm_book"} <= set(inspector.get_table_names()), True)
    columns = {column["name"]: column["type"].compile(engine.dialect) for column in inspector.get_columns("orm_book")}
    check("reflected types", (columns["title"], columns["price"], columns["kind"], columns["meta"]),
          ("VARCHAR(100)", "DECIMAL(10, 2)", "ENUM('novel','poem')", "JSON"))
    check("reflected indexes", {"by_title"} <= {index["name"] for index in inspector.get_indexes("orm_book")}, True)
    unique = [key["column_names"] for key in inspector.get_unique_constraints("orm_author")]
    check("reflected unique keys", unique, [["name"]])
    check("reflected keys", inspector.get_pk_constraint("orm_book")["constrained_columns"], ["id"])
    check("reflected foreign keys", [key["referred_table"] for key in inspector.get_foreign_keys("orm_book")], ["orm_author"])
    checks = [constraint["sqltext"] for constraint in inspector.get_check_constraints("orm_book")]
    check("reflected checks", checks, ["(`price` >= 0)"])
    reflected = sa.MetaData()
    reflected.reflect(engine, only=["orm_author", "orm_book"])
    check("reflected metadata", sorted(reflected.tables), ["orm_author", "orm_book"])


def insert_one():
    with Session(engine) as session:
        session.add(Author(name="Zoe"))
        session.flush()


def original(run):
    """Runs it and gives the driver's error, which SQLAlchemy wraps."""
    try:
        run()
    except sa.exc.DBAPIError as error:
        raise error.orig from None


if READ_ONLY:
    check_reflection()
    with Session(engine) as session:
        check("what the primary wrote", session.scalars(sa.select(Author.name).order_by(Author.name)).all(),
              ["Ada", "Bob", "Cid"])
    refused("an insert on a secondary", Exception, 1290, lambda: original(insert_one))
    refused("a table on a secondary", Exception, 1290, lambda: original(lambda: Base.metadata.drop_all(engine)))
    end()

Base.metadata.drop_all(engine)
Base.metadata.create_all(engine)
with Session(engine) as session:
    ada = Author(name="Ada", born=datetime.date(1815, 12, 10))
    ada.books = [Book(title=f"Notes {n}", price=decimal.Decimal(n), meta={"pages": n, "tags": ["a", "ü"]}) for n in range(5)]
    session.add_all([ada, Author(name="Bob")])
    session.commit()
    check("ids are given", sorted(book.id for book in ada.books) == [book.id for book in ada.books], True)
with Session(engine) as session:
    ada = session.scalars(sa.select(Author).where(Author.name == "Ada").options(selectinload(Author.books))).one()
    check("books of an author", [book.title for book in ada.books], [f"Notes {n}" for n in range(5)])
    check("JSON comes back", ada.books[3].meta, {"pages": 3, "tags": ["a", "ü"]})
    check("a default of the server", isinstance(ada.books[0].added, datetime.datetime), True)
    ada.books[0].price += decimal.Decimal("1.25")
    del ada.books[4]
    session.commit()
    query = (sa.select(Author.name, sa.func.count(Book.id), sa.func.sum(Book.price)).join(Book, isouter=True)
             .group_by(Author.id).order_by(Author.name))
    check("grouped join", [tuple(row) for row in session.execute(query)], [("Ada", 4, decimal.Decimal("7.25")), ("Bob", 0, None)])
    poor = sa.select(Book.title).where(Book.price < sa.select(sa.func.avg(Book.price)).scalar_subquery()).order_by(Book.id)
    check("scalar subquery", session.scalars(poor).all(), ["Notes 0", "Notes 1"])
    has = sa.select(Author.name).where(sa.exists().where(Book.author_id == Author.id))
    check("correlated EXISTS", session.scalars(has).all(), ["Ada"])
    check("LIMIT and OFFSET", session.scalars(sa.select(Book.title).order_by(Book.id.desc()).limit(2).offset(1)).all(),
          ["Notes 2", "Notes 1"])
    case = sa.select(sa.case((Book.price > 1, "dear"), else_="cheap")).order_by(Book.id)
    check("CASE", session.scalars(case).all(), ["dear", "cheap", "dear", "dear"])
    session.execute(sa.update(Book).where(Book.title.like("Notes%")).values(sold=True))
    check("update of many", session.scalar(sa.select(sa.func.count()).where(Book.sold.is_(True))), 4)
    session.rollback()
    check("rolled back", session.scalar(sa.select(sa.func.count()).where(Book.sold.is_(True))), 0)
    with session.begin_nested():
        session.add(Author(name="Cid"))
    try:
        with session.begin_nested():
            session.add(Author(name="Ada"))
            session.flush()
    except sa.exc.IntegrityError as error:
        check("a duplicate within a savepoint", error.orig.args[0], 1062)
    session.commit()
    check("outside the savepoint", session.scalars(sa.select(Author.name).order_by(Author.name)).all(), ["Ada", "Bob", "Cid"])
    from sqlalchemy.dialects.mysql import insert
    upsert = insert(Author).values(name="Bob", born=datetime.date(1900, 1, 1))
    session.execute(upsert.on_duplicate_key_update(born=upsert.inserted.born))
    session.commit()
    check("ON DUPLICATE KEY UPDATE", session.scalar(sa.select(Author.born).where(Author.name == "Bob")), datetime.date(1900, 1, 1))
    ranked = sa.select(Book.id).order_by(Book.id).with_for_update()
    check("FOR UPDATE", len(session.scalars(ranked).all()), 4)
    session.commit()

check_reflection()
end()
