#!/usr/bin/env bash
# Makes a small application with a past: a SQLite database, image files, log files, and a folder that stands for a bucket.
#
#   scripts/make_shop.sh FOLDER      everything below FOLDER, which must not exist
#
# The same every time but for the dates, which count back from today: what is old for steward is old whenever this runs.
set -euo pipefail

shop=${1:?usage: scripts/make_shop.sh FOLDER}
[ ! -e "$shop" ] || { echo "make_shop: $shop exists already" >&2; exit 1; }
mkdir -p "$shop/media/mockups" "$shop/logs/archive" "$shop/bucket/exports" "$shop/bucket/thumbs"

# Real PNG files, 48 x 48, each of a colour of its own: stored (uncompressed) deflate blocks need no zlib.
perl - "$shop/media/mockups" 40 <<'PERL'
use strict; use warnings;
my ($folder, $count) = @ARGV;
my @table = map { my $c = $_; $c = $c & 1 ? 0xEDB88320 ^ ($c >> 1) : $c >> 1 for 1 .. 8; $c } 0 .. 255;
sub crc { my $c = 0xFFFFFFFF; $c = $table[($c ^ $_) & 255] ^ ($c >> 8) for unpack 'C*', $_[0]; $c ^ 0xFFFFFFFF }
sub adler { my ($a, $b) = (1, 0); for (unpack 'C*', $_[0]) { $a = ($a + $_) % 65521; $b = ($b + $a) % 65521 } $b << 16 | $a }
sub chunk { my ($type, $data) = @_; pack('N', length $data) . $type . $data . pack('N', crc($type . $data)) }
for my $n (1 .. $count) {
  my ($w, $h) = (48, 48);
  my $rows = '';
  for my $y (0 .. $h - 1) {
    $rows .= "\0" . join '', map { pack 'C3', ($n * 37 + $_) % 256, ($n * 91 + $y) % 256, ($n * 53 + $_ * $y) % 256 } 0 .. $w - 1;
  }
  my $zlib = "\x78\x01\x01" . pack('vv', length $rows, ~length($rows) & 0xFFFF) . $rows . pack('N', adler($rows));
  open my $out, '>:raw', sprintf '%s/mockup-%03d.png', $folder, $n or die $!;
  print $out "\x89PNG\r\n\x1a\n", chunk('IHDR', pack('NNC5', $w, $h, 8, 2, 0, 0, 0)), chunk('IDAT', $zlib), chunk('IEND', '');
}
PERL

# 40 mockups, one a month and a half back from today, so that the later ones are old; two are on sale, one lost its file.
{
  cat <<'SQL'
create table mockups (id integer primary key, idea_id integer not null, image_url text, created_at text not null);
create table listings (id integer primary key, title text not null, mockup_id integer references mockups(id));
create index listings_mockup_id on listings(mockup_id);
create table signals (id integer primary key, idea_id integer, timestamp text not null, engagement_rate real, details text, content_hash text);
create table audit_logs (id integer primary key, username text, action text, details text, timestamp text not null);
begin;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 40)
insert into mockups select i, i * 7 % 11, 'mockups/mockup-' || printf('%03d', i) || '.png', strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-' || (i * 15) || ' days') from n;
insert into listings values (1, 'A lamp that folds', 38), (2, 'A chair of cork', 3), (3, 'A shelf of rope', 31);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 6000)
insert into signals select i, i % 40, strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-' || (i * 20) || ' minutes'), round((i * 37 % 1000) / 1000.0, 3), json_object('source', 'shop', 'n', i), printf('%08x', i * 2654435761 % 4294967296) from n;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 900)
insert into audit_logs select i, 'user' || (i % 7), case i % 3 when 0 then 'login' when 1 then 'publish' else 'delete' end, 'said "yes" on day ' || i, strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-' || i || ' days') from n;
commit;
SQL
} | sqlite3 "$shop/app.db"
rm "$shop/media/mockups/mockup-029.png"

# Logs: one a week, the older ones past 30 days; two rotated ones belong to log rotation.
for week in $(seq 0 9); do
  file="$shop/logs/web-$week.log"
  for line in $(seq 1 50); do echo "GET /listing/$line 200 $((line * 13 % 90)) ms"; done > "$file"
  touch -d "-$((week * 7)) days" "$file"
done
cp "$shop/logs/web-9.log" "$shop/logs/archive/web.log.20250101T010000Z"
touch -d '-200 days' "$shop/logs/archive/web.log.20250101T010000Z"

# A folder as the bucket: exports and thumbnails, some past 90 days.
for n in $(seq 1 30); do
  echo "export $n" > "$shop/bucket/exports/export $n.csv"
  touch -d "-$((n * 6)) days" "$shop/bucket/exports/export $n.csv"
done
for n in $(seq 1 12); do
  head -c $((n * 900)) "$shop/media/mockups/mockup-001.png" > "$shop/bucket/thumbs/$n.png"
  touch -d "-$((n * 12)) days" "$shop/bucket/thumbs/$n.png"
done
