select id, regexp_extract_all(s, '[\p{L}]+') as words from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS ARRAY<STRING>) AS `words`
FROM (
  SELECT
    `t`.`id` AS `id`,
    REGEXP_EXTRACT_ALL(`t`.`s`, '[\\p{L}]+', 0) AS `words`
  FROM `t` AS `t`
) AS outputs(c0, c1)
