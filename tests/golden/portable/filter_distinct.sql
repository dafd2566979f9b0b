select distinct s from t qualify row_number() over (partition by s order by n desc, id) <= 2 and (select max(id) from t) > 4
-- spark:
SELECT
  CAST(c0 AS STRING) AS `s`
FROM (
  SELECT DISTINCT
    `__kept`.`s` AS `s`
  FROM (
    SELECT
      `t`.`s` AS `s`,
      ROW_NUMBER() OVER (PARTITION BY `t`.`s` ORDER BY `t`.`n` DESC, `t`.`id` NULLS LAST) <= 2
      AND (
        SELECT
          MAX(`t`.`id`) AS `_col_0`
        FROM `t` AS `t`
      ) > 4 AS `__keep`
    FROM `t` AS `t`
  ) AS `__kept`
  WHERE
    `__kept`.`__keep`
) AS outputs(c0)
