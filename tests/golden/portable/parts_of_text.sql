select id, left(s, 2) as start, chr(10) as line, regexp_replace(s, '[a-c]\s*', '_', 'g') as replaced, replace(s, 'c', 'd') as other, substring(s, 2, 2) as middle, trim(s) as trimmed, upper(s) as big from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS STRING) AS `start`,
  CAST(c2 AS STRING) AS `line`,
  CAST(c3 AS STRING) AS `replaced`,
  CAST(c4 AS STRING) AS `other`,
  CAST(c5 AS STRING) AS `middle`,
  CAST(c6 AS STRING) AS `trimmed`,
  CAST(c7 AS STRING) AS `big`
FROM (
  SELECT
    `t`.`id` AS `id`,
    LEFT(`t`.`s`, 2) AS `start`,
    CHR(  10) AS `line`,
    REGEXP_REPLACE(`t`.`s`, '[a-c]\\s*', '_') AS `replaced`,
    REPLACE(`t`.`s`, 'c', 'd') AS `other`,
    SUBSTRING(`t`.`s`, 2, 2) AS `middle`,
    TRIM(`t`.`s`) AS `trimmed`,
    UPPER(`t`.`s`) AS `big`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2, c3, c4, c5, c6, c7)
