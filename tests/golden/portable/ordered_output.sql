select id, n / 2 as half from t order by n desc, id limit 3
-- spark:
SELECT
  CAST(`t`.`id` AS INT) AS `id`,
  CAST(`t`.`n` / 2 AS DOUBLE) AS `half`
FROM `t` AS `t`
ORDER BY
  `t`.`n` DESC,
  `id` NULLS LAST
LIMIT 3
