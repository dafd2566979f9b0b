select id, s from t qualify row_number() over (partition by s order by n, id) = 1 order by n desc, s limit 2
-- spark:
SELECT
  CAST(`__kept`.`id` AS INT) AS `id`,
  CAST(`__kept`.`s` AS STRING) AS `s`
FROM (
  SELECT
    `t`.`id` AS `id`,
    `t`.`s` AS `s`,
    `t`.`n` AS `__order_0`,
    ROW_NUMBER() OVER (PARTITION BY `t`.`s` ORDER BY `t`.`n` NULLS LAST, `t`.`id` NULLS LAST) = 1 AS `__keep`
  FROM `t` AS `t`
) AS `__kept`
WHERE
  `__kept`.`__keep`
ORDER BY
  `__kept`.`__order_0` DESC,
  `__kept`.`s` NULLS LAST
LIMIT 2
