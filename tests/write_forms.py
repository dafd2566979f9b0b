"""Every way to write, or to reach beyond the store, that DuckDB 2.0 has; `query`, `show --inline`, `shell` and `serve` refuse them.

`{store}` is the store's folder, the one place that a query may read, `{outside}` a folder beside it, `{data}` a file of the
project that is no result.
"""

STATEMENTS = """
create table t as select 1
create or replace temp table t as select 1
create table memory.main.t as select 1
create table temp.main.t (a int)
create view v as select 1
create or replace temp view events as select 1
create macro m() as 1
create schema s
create sequence q
create type mood as enum ('a')
create index i on events (user_id)
create secret (type s3, key_id 'a', secret 'b')
create persistent secret (type s3, key_id 'a', secret 'b')
insert into events values ('a', 'b', 1)
insert or replace into events by name select 1 as user_id
update events set position = 1
delete from events
truncate events
merge into events using events e on false when not matched then insert values ('a', 'b', 1)
alter table events add column x int
alter view events rename to gone
drop view events
drop schema main cascade
comment on view events is 'x'
copy events to '{store}/x.csv'
copy events to '{outside}/x.csv'
copy (select 1) to '{store}/x.parquet' (format parquet)
copy (select 1) to '{store}/x' (format parquet, partition_by (a))
COPY (select 1) TO '{store}/x.json'
copy events from '{data}'
copy from database dev to memory
with x as (copy (select 1) to '{store}/x.csv') select 1
with x as (copy (select 1) to '{store}/x.csv') from x
with y as (select 1), x as (copy (from y) to '{store}/x.csv') select * from y
select * from events union all (with x as (copy (select 1) to '{store}/x.csv') select 1, 2, 3)
with x as (insert into events values ('a', 'b', 1) returning *) from x
with x as (delete from events returning *) from x
with x as (update events set position = 1 returning *) from x
with x as (select 1) insert into events select * from x
from (insert into events values (1) returning *)
explain analyze copy (select 1) to '{store}/x.csv'
explain (analyze) copy (select 1) to '{store}/x.csv'
explain (analyze, format json) with x as (copy (select 1) to '{store}/x.csv') select 1
explain /* a comment */ analyze copy (select 1) to '{store}/x.csv'
explain /* /* */ select 1 -- */ analyze copy (select 1) to '{store}/x.csv'
explain analyze create table memory.main.t as select 1
explain analyze with x as (insert into events values (1) returning *) from x
from query('with x as (copy (select 1) to ''{store}/x.csv'') from x')
from QUERY('select 1')
from json_execute_serialized_sql(json_serialize_sql('with x as (copy (select 1) to ''{store}/x.csv'') from x'))
from "JSON_EXECUTE_SERIALIZED_SQL"('x')
select * from (from json_execute_serialized_sql(json_serialize_sql('select 1')))
pragma json_execute_serialized_sql('x')
export database '{store}/x'
export database '{outside}/x' (format parquet)
import database '{store}/x'
attach '{store}/x.duckdb' as y
attach ':memory:' as y
attach 'postgres:dbname=x' as y
attach 'https://127.0.0.1:1/x.duckdb' as y
detach dev
use memory
install httpfs
force install httpfs from community
install '{outside}/x.duckdb_extension'
load httpfs
load '{outside}/x.duckdb_extension'
update extensions
pragma enable_profiling
pragma profiling_output = '{store}/x.json'
pragma threads = 3
pragma database_list
pragma copy_database('dev', 'memory')
pragma add_parquet_key('k', 'x')
set threads = 3
set enable_external_access = true
set lock_configuration = false
set global allowed_directories = ['/']
set variable x = 1
set session temp_directory = '{outside}'
reset lock_configuration
checkpoint
force checkpoint
vacuum
analyze
begin
commit
rollback
call enable_logging()
call pragma_version()
prepare a as select 1
execute a
deallocate a
from enable_logging(storage = 'file', storage_config = {{'path': '{store}/x'}})
from disable_logging()
from enable_profiling(save_location = '{store}/x.json')
from truncate_duckdb_logs()
from checkpoint('dev')
from force_checkpoint('dev')
select write_log('x')
select setval('q', 1)
select nextval('q')
from register_external_resource_type('x')
from create_external_resource('x')
select 1; drop view events
select 1; copy (select 1) to '{store}/x.csv'
select 1 /* ; */; copy (select 1) to '{store}/x.csv'
select ';'; create table memory.main.t as select 1
/* select */ copy (select 1) to '{store}/x.csv'
-- select
copy (select 1) to '{store}/x.csv' -- select 1
select write_file('{store}/x', 'x')
select write_blob('{store}/x', 'x')
from '{data}'
from read_csv('{data}')
from read_text('{data}')
from read_blob('{data}')
from read_json('{data}')
from read_parquet('{outside}/*.parquet')
from read_text('{store}/../../project/project.yml')
from read_duckdb('{outside}/x.duckdb')
from glob('{outside}/*')
from sniff_csv('{data}')
from parquet_metadata('{outside}/x.parquet')
from read_parquet('https://127.0.0.1:1/x.parquet')
from read_parquet('s3://bucket/x.parquet')
from read_xlsx('{data}')
from sqlite_scan('{data}', 't')
from duckdb_secrets()
select getenv('HOME')
select current_setting('s3_secret_access_key')
from connection
from sql
""".strip().splitlines()
