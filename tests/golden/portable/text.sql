select id, s || '-' || n as joined, concat_ws(' | ', s, null, cast(n as varchar)) as parts, string_split_regex('a > b|c', '\s*[>|]\s*') as levels, array_to_string(['a', 'b'], ' ') as words from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS STRING) AS `joined`,
  CAST(c2 AS STRING) AS `parts`,
  CAST(c3 AS ARRAY<STRING>) AS `levels`,
  CAST(c4 AS STRING) AS `words`
FROM (
  SELECT
    `t`.`id` AS `id`,
    `t`.`s` || '-' || `t`.`n` AS `joined`,
    CONCAT_WS(' | ', `t`.`s`, NULL, CAST(`t`.`n` AS STRING)) AS `parts`,
    SPLIT('a > b|c', '\\s*[>|]\\s*') AS `levels`,
    ARRAY_JOIN(ARRAY('a', 'b'), ' ') AS `words`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2, c3, c4)
