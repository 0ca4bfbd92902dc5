-- A store of the first format, as version 0.1.0 wrote it.
PRAGMA application_id = 1330655797;
BEGIN TRANSACTION;
CREATE TABLE audit (
        revision INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        uid INTEGER NOT NULL,
        name TEXT NOT NULL,
        action TEXT NOT NULL,
        reason TEXT,
        exemption TEXT NOT NULL,
        before TEXT,
        after TEXT NOT NULL
    ) STRICT;
INSERT INTO "audit" VALUES(1,'2027-04-01T00:00:00.000000000Z',1000,'hanako','add','asked for by telephone','01MCC5RM010000000000000007',NULL,'{"id":"01MCC5RM010000000000000007","customer":"Customer 1","prefixes":["10.0.0.1/32","2001:db8:0:1::/64"],"destinations":["192.0.2.0/24"],"ticket":"OPS-1","note":null,"expires_at":"2028-03-31T15:00:00Z","created_at":"2027-03-31T12:34:56.789012345Z","created_by":{"uid":1000,"name":"hanako"},"removed_at":null,"revision":1}');
INSERT INTO "audit" VALUES(2,'2027-04-01T00:00:00.000000000Z',1000,'hanako','add','asked for by telephone','01MCC5RM020000000000000007',NULL,'{"id":"01MCC5RM020000000000000007","customer":"Customer 2","prefixes":["10.0.0.2/32","2001:db8:0:2::/64"],"destinations":["192.0.2.0/24"],"ticket":"OPS-2","note":null,"expires_at":"2028-03-31T15:00:00Z","created_at":"2027-03-31T12:34:56.789012345Z","created_by":{"uid":1000,"name":"hanako"},"removed_at":null,"revision":2}');
INSERT INTO "audit" VALUES(3,'2027-04-01T00:00:00.000000000Z',1000,'hanako','add','asked for by telephone','01MCC5RM030000000000000007',NULL,'{"id":"01MCC5RM030000000000000007","customer":"Customer 3","prefixes":["10.0.0.3/32","2001:db8:0:3::/64"],"destinations":["192.0.2.0/24"],"ticket":"OPS-3","note":null,"expires_at":"2028-03-31T15:00:00Z","created_at":"2027-03-31T12:34:56.789012345Z","created_by":{"uid":1000,"name":"hanako"},"removed_at":null,"revision":3}');
INSERT INTO "audit" VALUES(4,'2027-04-01T00:00:00.000000000Z',1000,'hanako','remove','asked for by telephone','01MCC5RM020000000000000007','{"id":"01MCC5RM020000000000000007","customer":"Customer 2","prefixes":["10.0.0.2/32","2001:db8:0:2::/64"],"destinations":["192.0.2.0/24"],"ticket":"OPS-2","note":null,"expires_at":"2028-03-31T15:00:00Z","created_at":"2027-03-31T12:34:56.789012345Z","created_by":{"uid":1000,"name":"hanako"},"removed_at":null,"revision":2}','{"id":"01MCC5RM020000000000000007","customer":"Customer 2","prefixes":["10.0.0.2/32","2001:db8:0:2::/64"],"destinations":["192.0.2.0/24"],"ticket":"OPS-2","note":null,"expires_at":"2028-03-31T15:00:00Z","created_at":"2027-03-31T12:34:56.789012345Z","created_by":{"uid":1000,"name":"hanako"},"removed_at":"2027-04-01T00:00:00Z","revision":4}');
CREATE TABLE exemptions (
        id TEXT PRIMARY KEY,
        customer TEXT NOT NULL,
        prefixes TEXT NOT NULL,
        destinations TEXT NOT NULL,
        ticket TEXT,
        note TEXT,
        created_at TEXT NOT NULL,
        created_uid INTEGER NOT NULL,
        created_name TEXT NOT NULL,
        expires_at TEXT,
        removed_at TEXT,
        revision INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
INSERT INTO "exemptions" VALUES('01MCC5RM010000000000000007','Customer 1','["10.0.0.1/32","2001:db8:0:1::/64"]','["192.0.2.0/24"]','OPS-1',NULL,'2027-03-31T12:34:56.789012345Z',1000,'hanako','2028-03-31T15:00:00.000000000Z',NULL,1);
INSERT INTO "exemptions" VALUES('01MCC5RM020000000000000007','Customer 2','["10.0.0.2/32","2001:db8:0:2::/64"]','["192.0.2.0/24"]','OPS-2',NULL,'2027-03-31T12:34:56.789012345Z',1000,'hanako','2028-03-31T15:00:00.000000000Z','2027-04-01T00:00:00.000000000Z',4);
INSERT INTO "exemptions" VALUES('01MCC5RM030000000000000007','Customer 3','["10.0.0.3/32","2001:db8:0:3::/64"]','["192.0.2.0/24"]','OPS-3',NULL,'2027-03-31T12:34:56.789012345Z',1000,'hanako','2028-03-31T15:00:00.000000000Z',NULL,3);
CREATE TABLE exemption_prefixes (
        family INTEGER NOT NULL,
        first BLOB NOT NULL,
        last BLOB NOT NULL,
        id TEXT NOT NULL REFERENCES exemptions (id),
        PRIMARY KEY (family, first, last, id)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "exemption_prefixes" VALUES(4,X'0A000001',X'0A000001','01MCC5RM010000000000000007');
INSERT INTO "exemption_prefixes" VALUES(4,X'0A000002',X'0A000002','01MCC5RM020000000000000007');
INSERT INTO "exemption_prefixes" VALUES(4,X'0A000003',X'0A000003','01MCC5RM030000000000000007');
INSERT INTO "exemption_prefixes" VALUES(6,X'20010DB8000000010000000000000000',X'20010DB800000001FFFFFFFFFFFFFFFF','01MCC5RM010000000000000007');
INSERT INTO "exemption_prefixes" VALUES(6,X'20010DB8000000020000000000000000',X'20010DB800000002FFFFFFFFFFFFFFFF','01MCC5RM020000000000000007');
INSERT INTO "exemption_prefixes" VALUES(6,X'20010DB8000000030000000000000000',X'20010DB800000003FFFFFFFFFFFFFFFF','01MCC5RM030000000000000007');
CREATE TABLE requests (
        uid INTEGER NOT NULL,
        key TEXT NOT NULL,
        digest TEXT NOT NULL,
        at TEXT NOT NULL,
        changed TEXT NOT NULL,
        PRIMARY KEY (uid, key)
    ) STRICT, WITHOUT ROWID;
CREATE INDEX exemptions_customer ON exemptions (customer, id);
CREATE INDEX exemptions_expiry ON exemptions (expires_at) WHERE removed_at IS NULL;
CREATE INDEX audit_exemption ON audit (exemption, revision);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit is never changed'); END;
CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit is never removed'); END;
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
        WHEN EXISTS (SELECT 1 FROM audit WHERE revision = NEW.revision)
        BEGIN SELECT RAISE(ABORT, 'the audit is never changed'); END;
CREATE INDEX requests_at ON requests (at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('audit',4);
COMMIT;
PRAGMA user_version = 1;
