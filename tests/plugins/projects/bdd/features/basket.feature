@money
Feature: Basket
  What a buyer may put into a basket.

  Background:
    Given an empty basket

  @smoke
  Scenario: One thing
    When I add 1 pen
    Then the basket holds 1 thing

  Scenario Outline: Many things
    When I add <count> <name>
    Then the basket holds <count> things

    Examples:
      | count | name |
      | 2     | pen  |
      | 5     | ink  |
      | 7     | cup  |

  Scenario: Wrong total
    When I add 2 pen
    And I add 1 ink
    Then the basket holds 4 things
    And the basket is open

  Scenario: Missing step
    When I paint the basket
    Then the basket holds 0 things

  Scenario: Data table
    When I add these:
      | name | count |
      | pen  | 2     |
      | ink  | 3     |
    Then the basket holds 5 things

  Rule: Closed baskets stay closed

    Scenario: Closing
      When I close the basket
      Then adding 1 pen is refused
