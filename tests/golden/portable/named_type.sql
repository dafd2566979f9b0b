select typeof(n) as of_n, typeof(s) as of_s, typeof(x) = 'DOUBLE' as is_double from t
-- spark:
SELECT
  CAST(c0 AS STRING) AS `of_n`,
  CAST(c1 AS STRING) AS `of_s`,
  CAST(c2 AS BOOLEAN) AS `is_double`
FROM (
  SELECT
    'INTEGER' AS `of_n`,
    'VARCHAR' AS `of_s`,
    'DOUBLE' = 'DOUBLE' AS `is_double`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2)
