/** The version of Stripe's API whose shapes are spoken here. https://docs.stripe.com/changelog */
export const apiVersion = '2026-10-28.endive'
