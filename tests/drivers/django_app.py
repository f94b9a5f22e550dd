"""Django: migrations, and the queries that its admin makes."""
import sys

import django
from django.conf import settings

from common import DATABASE, HOST, PASSWORD, PORT, READ_ONLY, USER, check, end, refused

if sys.argv[1:] == ["pymysql"]:
    import pymysql
    pymysql.version_info = (2, 2, 1, "final", 0)
    pymysql.install_as_MySQLdb()

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.mysql", "NAME": DATABASE + "_django", "USER": USER, "PASSWORD": PASSWORD,
                           "HOST": HOST, "PORT": PORT}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "django.contrib.admin",
                    "django.contrib.messages"],
    # Other zones need MySQL's time zone tables, which a new server has not.
    USE_TZ=True, TIME_ZONE="UTC", DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", SECRET_KEY="of a test", ROOT_URLCONF="common",
    SILENCED_SYSTEM_CHECKS=["admin.E403", "admin.E408", "admin.E409", "admin.E410"])
django.setup()

from django.contrib.admin.models import CHANGE, LogEntry  # noqa: E402
from django.contrib.auth.models import Group, Permission, User  # noqa: E402
from django.contrib.contenttypes.models import ContentType  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import IntegrityError, OperationalError, connection, transaction  # noqa: E402
from django.db.models import Count, Max, Q  # noqa: E402
from django.db.models.functions import TruncMonth, Upper  # noqa: E402
from django.utils import timezone  # noqa: E402

if READ_ONLY:
    check("what the primary wrote", User.objects.filter(groups__name="editors").count(), 2)
    check("a page", [user.username for user in User.objects.order_by("-id")[1:3]], ["user3", "user2"])
    refused("an insert on a secondary", OperationalError, 1290, lambda: User.objects.create_user("user9"))
    refused("an update on a secondary", OperationalError, 1290, lambda: User.objects.update(is_active=True))
    refused("a migration on a secondary", OperationalError, 1290,
            lambda: call_command("migrate", "admin", "zero", verbosity=0))
    end()

APPS = ["admin", "sessions", "auth", "contenttypes"]
call_command("migrate", verbosity=0)
for app in APPS:
    call_command("migrate", app, "zero", verbosity=0)
call_command("migrate", verbosity=0)
call_command("migrate", verbosity=0)
check("tables", "auth_user" in connection.introspection.table_names(), True)
User.objects.all().delete()
Group.objects.all().delete()
users = [User.objects.create_user(f"user{n}", f"user{n}@example.org", "secret") for n in range(5)]
check("a password", users[0].check_password("secret"), True)
editors = Group.objects.create(name="editors")
editors.permissions.set(Permission.objects.filter(codename__startswith="add_"))
for user in users[:3]:
    user.groups.add(editors)
check("many to many", User.objects.filter(groups__name="editors").count(), 3)
check("admin's search", User.objects.filter(Q(username__icontains="SER1") | Q(email__icontains="nobody")).distinct().count(), 1)
check("admin's page", [user.username for user in User.objects.order_by("-id")[1:3]], ["user3", "user2"])
check("counts", [group.members for group in Group.objects.annotate(members=Count("user"))], [3])
check("aggregate", User.objects.aggregate(last=Max("id"))["last"], users[4].id)
check("exclude", User.objects.exclude(groups=editors).count(), 2)
check("dates", list(User.objects.annotate(month=TruncMonth("date_joined")).values_list("month", flat=True).distinct())[0].day, 1)
check("functions", User.objects.annotate(up=Upper("username")).filter(up="USER4").exists(), True)
check("dates hierarchy", len(User.objects.datetimes("date_joined", "day")), 1)
entry = LogEntry.objects.create(user=users[0], content_type=ContentType.objects.get_for_model(User), object_id="1",
                                object_repr="x", action_flag=CHANGE, change_message="[]")
check("select_related", LogEntry.objects.select_related("user", "content_type").get(pk=entry.pk).user.username, "user0")
try:
    with transaction.atomic():
        User.objects.create_user("user1")
except IntegrityError as error:
    check("a duplicate", error.args[0], 1062)
check("get_or_create", Group.objects.get_or_create(name="editors")[1], False)
check("update", User.objects.filter(username__startswith="user").update(is_active=False), 5)
check("bulk_create", len(Group.objects.bulk_create([Group(name=f"g{n}") for n in range(50)])), 50)
with transaction.atomic():
    locked = User.objects.select_for_update().get(username="user2")
    locked.last_login = timezone.now()
    locked.save()
store = SessionStore()
store["a"] = 1
store.save()
check("its session", SessionStore(store.session_key)["a"], 1)
check("delete with what depends on it", users[0].delete()[0] >= 2, True)
check("in a subquery", User.objects.filter(id__in=User.objects.filter(groups=editors).values("id")).count(), 2)
end()
