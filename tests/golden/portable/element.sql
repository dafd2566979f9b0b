select id, l[1] as first, l[-1] as last, l[n] as nth, l[9] as outside, l[1:2] as two, l[2:3] as second_on from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS INT) AS `first`,
  CAST(c2 AS INT) AS `last`,
  CAST(c3 AS INT) AS `nth`,
  CAST(c4 AS INT) AS `outside`,
  CAST(c5 AS ARRAY<INT>) AS `two`,
  CAST(c6 AS ARRAY<INT>) AS `second_on`
FROM (
  SELECT
    `t`.`id` AS `id`,
    TRY_ELEMENT_AT(`t`.`l`, 1) AS `first`,
    TRY_ELEMENT_AT(`t`.`l`, -1) AS `last`,
    TRY_ELEMENT_AT(`t`.`l`, NULLIF(CAST(`t`.`n` AS INT), 0)) AS `nth`,
    TRY_ELEMENT_AT(`t`.`l`, 9) AS `outside`,
    SLICE(`t`.`l`, 1, GREATEST(2, 0)) AS `two`,
    SLICE(`t`.`l`, 2, GREATEST(CAST((
      3
    ) - (
      2
    ) + 1 AS INT), 0)) AS `second_on`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2, c3, c4, c5, c6)
