Feature: Receipt

  Scenario: Text of a receipt
    Given a receipt
      """
      pen  1
      ink  2
      """
    Then it has 2 lines

  Scenario: Skipped receipt
    Given a receipt that cannot be had
    Then it has 2 lines
